"""
Bring a database to what this checkout needs.

`migrations/` run once each, in order, checked by sha256; `functions/` and the file of the engine in
`engines/` are applied again whenever one of them changed. All happens in one transaction under an
advisory lock: interrupted or concurrent runs leave nothing half done. Only old rows are rolled up
after it, which the next run makes up for.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.types.json import Jsonb

from fleet_timescale.engine import choose_engine
from fleet_timescale.errors import MigrationError

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

ROOT = Path(__file__).resolve().parent.parent
LOCK = 0x466C656574  # "Fleet": one migration at a time in a database
SERVER_FLOOR = 150000  # PostgreSQL 15: the oldest with all that the functions use
ENGINE_PLACE = "006_engine"  # of its file among the functions

BOOTSTRAP = """
CREATE SCHEMA IF NOT EXISTS fleet;
COMMENT ON SCHEMA fleet IS
  'Nodes, jobs, tasks, conversations and settings; changed only through functions.';
CREATE TABLE IF NOT EXISTS fleet.migrations (
  name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE fleet.migrations IS
  'Migrations that ran, and under "functions" and "settings" what was applied last.';
"""


# What an entry of data/settings.json may leave out.
SETTING = {
    "area": "queue", "kind": "number", "unit": "", "choices": [], "minimum": None, "maximum": None,
    "scopes": ["fleet", "role", "node"], "is_threshold": False,
}  # fmt: skip
PUT_SETTING = """
INSERT INTO fleet.settings AS s (key, description, default_value, minimum, maximum, is_threshold,
  area, kind, unit, choices, scopes)
VALUES (%(key)s, %(description)s, %(default)s, %(minimum)s, %(maximum)s, %(is_threshold)s,
  %(area)s, %(kind)s, %(unit)s, %(choices)s, %(scopes)s)
ON CONFLICT (key) DO UPDATE SET description = excluded.description,
  default_value = excluded.default_value, minimum = excluded.minimum, maximum = excluded.maximum,
  is_threshold = excluded.is_threshold, area = excluded.area, kind = excluded.kind,
  unit = excluded.unit, choices = excluded.choices, scopes = excluded.scopes"""


@dataclass(frozen=True)
class Script:
    """One .sql file and its checksum."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The checksum of the text, hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_scripts(folder: Path) -> list[Script]:
    """Return the scripts of a folder in the order of their names."""
    return [Script(path.stem, path.read_text()) for path in sorted(folder.glob("*.sql"))]


def decide_pending(scripts: list[Script], applied: dict[str, str]) -> list[Script]:
    """
    Return the scripts still to run.

    Raises MigrationError when an applied one was changed here, or is unknown to this checkout.
    """
    known = {script.name: script.sha256 for script in scripts}
    for name, sha256 in applied.items():
        if name not in known:
            raise MigrationError(
                f"the database has migration {name}, which this checkout lacks: it belongs to a "
                "newer version; update the checkout, or use another FLEET_HOME"
            )
        if known[name] != sha256:
            raise MigrationError(f"migration {name} differs from the one applied; restore it")
    return [script for script in scripts if script.name not in applied]


def migrate(connection: Connection, root: Path = ROOT) -> list[str]:
    """Bring the database up to date in one transaction; return the names of what was applied."""
    if connection.info.server_version < SERVER_FLOOR:
        raise MigrationError(
            f"PostgreSQL {connection.info.server_version // 10000} is too old; use 15 or newer"
        )
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        # Views wait for whoever reads them, and everybody else then waits behind us.
        connection.execute("SET LOCAL lock_timeout = '10s'")
        connection.execute(BOOTSTRAP)
        rows = connection.execute("SELECT name, sha256 FROM fleet.migrations").fetchall()
        applied = {row["name"]: row["sha256"] for row in rows}
        functions_before = applied.pop("functions", None)
        settings_before = applied.pop("settings", None)
        done = []
        for script in decide_pending(load_scripts(root / "migrations"), applied):
            _run(connection, script)
            _note(connection, script.name, script.sha256)
            done.append(script.name)
        functions = load_functions(root, choose_engine(connection))
        checksum = hashlib.sha256("".join(s.sha256 for s in functions).encode()).hexdigest()
        if done or checksum != functions_before:
            for script in functions:
                _run(connection, script)
            _note(connection, "functions", checksum)
            done.append("functions")
        if _load_settings(connection, root / "data" / "settings.json", settings_before):
            done.append("settings")
    _execute(connection, "rolling up old rows", "CALL telemetry.complete_levels()")
    return done


def load_functions(root: Path, engine: str) -> list[Script]:
    """Return what is applied again at each change, in its order."""
    sql = (root / "engines" / f"{engine}.sql").read_text()
    scripts = [*load_scripts(root / "functions"), Script(f"{ENGINE_PLACE}_{engine}", sql)]
    return sorted(scripts, key=lambda script: script.name)


def _run(connection: Connection, script: Script) -> None:
    _execute(connection, f"{script.name}.sql", script.sql)


def _execute(connection: Connection, title: str, sql: str) -> None:
    try:
        connection.execute(sql.encode())
    except psycopg.Error as exc:
        raise MigrationError(f"{title} failed: {exc}") from exc


def _note(connection: Connection, name: str, sha256: str) -> None:
    connection.execute(
        "INSERT INTO fleet.migrations (name, sha256) VALUES (%s, %s) "
        "ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, applied_at = now()",
        [name, sha256],
    )


def _load_settings(connection: Connection, file: Path, before: str | None) -> bool:
    """Put the catalogue of settings into its table when the file changed."""
    content = file.read_text()
    checksum = hashlib.sha256(content.encode()).hexdigest()
    if checksum == before:
        return False
    for entry in json.loads(content):
        row = {**SETTING, **entry, "default": Jsonb(entry["default"])}
        connection.execute(PUT_SETTING, row)
    _note(connection, "settings", checksum)
    return True
