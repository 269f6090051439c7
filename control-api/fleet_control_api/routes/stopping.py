"""The emergency stop: all workers end at once, and nothing is claimed until people resume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, request

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.service.context import services
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.stopping import Confirmation, EmergencyStop, StoppedNode

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

blueprint = Blueprint("stopping", __name__, url_prefix="/fleet/emergency-stop")

STATE = """
SELECT f.state, (SELECT max(e.stopped_at) FROM analytics.emergency_stop e) AS stopped_at
FROM analytics.fleet_state f"""
NODES = "SELECT * FROM analytics.emergency_stop ORDER BY node"


def load_stop(connection: Connection) -> EmergencyStop:
    """Return the last emergency stop, and who has obeyed."""
    state = connection.execute(STATE).fetchall()[0]
    rows = connection.execute(NODES).fetchall()
    nodes = [StoppedNode(**{k: v for k, v in row.items() if k != "stopped_at"}) for row in rows]
    return EmergencyStop(**state, nodes=nodes)


def stop_all(connection: Connection, who: Identity, wish: Confirmation) -> Done[EmergencyStop]:
    """Stop the fleet; pressed again it tells those that have not obeyed yet."""
    reason = wish.reason or ""
    row = connection.execute(
        "SELECT fleet.emergency_stop(%s, %s) AS is_changed", [who.actor, reason]
    ).fetchall()[0]
    said = reason or ("" if row["is_changed"] else "was stopped already")
    return Done(load_stop(connection), "fleet", said)


STOP = Command(
    "fleet.emergency-stop",
    Role.OPERATOR,
    "End all workers at once; nothing is claimed until resume.",
    Confirmation,
    EmergencyStop,
    stop_all,
    lambda _: "fleet",
)


@blueprint.get("")
@reads(EmergencyStop)
def show_stop() -> EmergencyStop:
    """Show the last emergency stop: which nodes have acknowledged, which have stopped."""
    with services().database.transaction() as connection:
        return load_stop(connection)


@blueprint.post("")
@changes(STOP, status=202)
def stop() -> tuple[EmergencyStop, int, dict[str, str]]:
    """End all workers at once: their calls are cut, stored turns stay; holds until resume."""
    stopped = perform(STOP, lambda: read_arguments(request, Confirmation))
    return stopped, 202, {"Location": request.path}
