"""Settings: what is in force and why, what was, and changes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, request
from psycopg.types.json import Jsonb

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.arguments import parse, read_query
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.config import (
    Change,
    Config,
    ConfigChange,
    ConfigFilter,
    ConfigKey,
    ConfigRollback,
    Diff,
    Difference,
    DiffFilter,
    History,
    HistoryFilter,
    NodeVersion,
    ScenarioShare,
    ScenarioShares,
    Setting,
)
from fleet_control_api.values.paging import parse_number

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

blueprint = Blueprint("config", __name__, url_prefix="/config")

IN_FORCE = """
SELECT e.key, e.value, e.origin, e.version, h.author, h.reason, h.valid_from, c.default_value,
  c.kind, c.unit, c.minimum, c.maximum, c.choices, c.scopes, c.area, c.description,
  coalesce((SELECT jsonb_object_agg(n.scope, n.value) FROM analytics.config n
    WHERE n.key = e.key AND n.scope NOT IN ('default', 'fleet', %(scope)s)), '{}') AS narrower
FROM fleet.effective_config(%(scope)s) e
JOIN analytics.config c ON c.key = e.key AND c.scope IN ('default', 'fleet')
LEFT JOIN analytics.config_history h ON h.version = e.version
ORDER BY c.area, e.key"""
HISTORY = Ordered(
    "SELECT * FROM analytics.config_history WHERE key = %(key)s "
    "AND scope = coalesce(%(scope)s, scope)",
    {"version": parse_number},
    is_newest_first=True,
)
NEWEST = "SELECT coalesce(max(version), 0) AS version FROM analytics.config_history"


def set_value(connection: Connection, who: Identity, change: ConfigChange) -> Done[Change]:
    """Put a value in force; nodes run it within seconds."""
    row = connection.execute(
        "SELECT fleet.set_config(%s, %s, %s, %s, %s, %s) AS version",
        [
            change.scope, change.key, Jsonb(change.value), who.actor, change.reason or "",
            change.version,
        ],
    ).fetchall()[0]  # fmt: skip
    return _done(load_change(connection, row["version"]))


def roll_back(connection: Connection, who: Identity, wanted: ConfigRollback) -> Done[Change]:
    """Put an older value in force again, as a new version."""
    row = connection.execute(
        "SELECT fleet.rollback_config(%s, %s, %s, %s, %s, %s) AS version",
        [wanted.scope, wanted.key, wanted.to, who.actor, wanted.reason or "", wanted.version],
    ).fetchall()[0]
    return _done(load_change(connection, row["version"]))


def _done(change: Change) -> Done[Change]:
    said = f"{_show(change.value_before)} -> {_show(change.value)} (version {change.version})"
    reason = f"{said}: {change.reason}" if change.reason else said
    return Done(change, name_target(change.key, change.scope), reason)


def _show(value: Any) -> str:
    return "not set" if value is None else str(value)


def name_target(key: str, scope: str) -> str:
    """Return what a change is about, for the audit log."""
    return f"setting {key} of {scope}"


SET = Command(
    "config.set",
    Role.ADMIN,
    "Set a value for the fleet, a role or a node.",
    ConfigChange,
    Change,
    set_value,
    lambda change: name_target(change.key, change.scope),
)
ROLLBACK = Command(
    "config.rollback",
    Role.ADMIN,
    "Put an older value in force again.",
    ConfigRollback,
    Change,
    roll_back,
    lambda wanted: name_target(wanted.key, wanted.scope),
)


@blueprint.get("")
@reads(Config, query=ConfigFilter)
def show_config() -> Config:
    """Show every setting in force for a scope, where its value comes from, and who runs it."""
    wanted = read_query(request, ConfigFilter)
    with services().database.transaction() as connection:
        settings = connection.execute(IN_FORCE, {"scope": wanted.scope}).fetchall()
        nodes = connection.execute(
            "SELECT node, settings_version FROM analytics.nodes ORDER BY node"
        ).fetchall()
        version = connection.execute(NEWEST).fetchall()[0]["version"]
    return Config(
        scope=wanted.scope,
        version=version,
        settings=[Setting(**row) for row in settings],
        nodes=[NodeVersion(**row) for row in nodes],
    )


@blueprint.get("/scenarios")
@reads(ScenarioShares)
def show_scenarios() -> ScenarioShares:
    """Compare what mixed jobs ask for with what the last day accepted."""
    with services().database.statements() as connection:
        rows = connection.execute(
            "SELECT scenario, weight, asked_ratio, effective_ratio_1d, accepted_1d "
            "FROM analytics.scenarios ORDER BY scenario"
        ).fetchall()
    return ScenarioShares(scenarios=[ScenarioShare(**row) for row in rows])


@blueprint.get("/diff")
@reads(Diff, query=DiffFilter)
def show_diff() -> Diff:
    """Show what differs between two versions or times."""
    wanted = read_query(request, DiffFilter)
    with services().database.transaction() as connection:
        row = connection.execute(
            "SELECT coalesce(%(from_version)s, fleet.config_version(%(from_time)s), 0) AS older, "
            f"coalesce(%(to_version)s, fleet.config_version(%(to_time)s), ({NEWEST})) AS newer",
            wanted.model_dump(),
        ).fetchall()[0]
        older, newer = sorted(row.values())
        rows = connection.execute("SELECT * FROM fleet.diff_config(%s, %s)", [older, newer])
        changes_made = [Difference(**row) for row in rows]
    return Diff(from_version=older, to_version=newer, changes=changes_made)


@blueprint.get("/<setting:key>/history")
@reads(History, path=ConfigKey, query=HistoryFilter)
def show_history(key: str) -> History:
    """List the versions of a setting, newest first."""
    wanted = read_query(request, HistoryFilter)
    asked = parse(ConfigKey, {"key": key}).key
    with services().database.transaction() as connection:
        if not connection.execute("SELECT FROM analytics.config WHERE key = %s", [asked]).rowcount:
            raise NotFoundError(
                f"unknown setting {asked}", remedy="GET /config lists all settings."
            )
        rows, cursor = read_page(connection, HISTORY, wanted, {"key": asked, "scope": wanted.scope})
    return History(history=[Change(**row) for row in rows], next_cursor=cursor)


@blueprint.put("/<setting:key>")
@changes(SET, path=ConfigKey)
def change(key: str) -> Change:
    """Set a value for the fleet, a role or a node; nodes run it within seconds."""
    return perform(SET, lambda: read_arguments(request, ConfigChange, key=key))


@blueprint.post("/<setting:key>/rollback")
@changes(ROLLBACK, path=ConfigKey)
def rollback(key: str) -> Change:
    """Put an older value in force again, as a new version."""
    return perform(ROLLBACK, lambda: read_arguments(request, ConfigRollback, key=key))


def load_change(connection: Connection, version: int) -> Change:
    """Return a version that was just made."""
    row = connection.execute(
        "SELECT * FROM analytics.config_history WHERE version = %s", [version]
    ).fetchall()[0]
    return Change(**row)


def list_keys(connection: Connection) -> list[str]:
    """Return the keys of all settings."""
    rows = connection.execute("SELECT DISTINCT key FROM analytics.config ORDER BY 1").fetchall()
    return [row["key"] for row in rows]


def list_scopes(connection: Connection) -> list[str]:
    """Return what settings may be set for."""
    rows = connection.execute("SELECT node FROM analytics.nodes ORDER BY 1").fetchall()
    return ["fleet", "role:generate", "role:quality", *(f"node:{row['node']}" for row in rows)]
