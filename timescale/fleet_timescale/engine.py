"""
What stores the tables by time: TimescaleDB where the server has it, else PostgreSQL's partitions.

Chosen at the first migration and kept: what differs is in `engines/*.sql`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_timescale.errors import MigrationError

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

TIMESCALEDB, POSTGRESQL = "timescaledb", "postgresql"
TIMESCALEDB_FLOOR = (2, 18)
WITHOUT = "or use a server without TimescaleDB: plain PostgreSQL does the same in more space"

# What a server has is known before the extension is made in a database; what it must not be asked
# is to make one that is not preloaded, since that ends the connection.
READ_FACTS = """
SELECT current_setting('server_version') AS postgresql,
  coalesce((SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
    (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb')
  ) AS timescaledb,
  EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
    OR current_setting('timescaledb.disable_load', true) IS NOT NULL AS is_loaded"""
READ_CHOICE = "SELECT engine FROM telemetry.engine"
KEEP_CHOICE = "INSERT INTO telemetry.engine (engine) VALUES (%s) ON CONFLICT DO NOTHING"
MAKE_EXTENSION = "CREATE EXTENSION IF NOT EXISTS timescaledb"
READ_LICENCE = "SELECT current_setting('timescaledb.license', true) AS licence"


@dataclass(frozen=True)
class Facts:
    """What a server says of itself; `timescaledb` is a version, None where it has none."""

    postgresql: str
    timescaledb: str | None
    is_loaded: bool

    def describe(self, engine: str) -> str:
        """Return the engine and its version for people, and why it is not the other one."""
        if engine == TIMESCALEDB:
            return f"TimescaleDB {self.timescaledb} on PostgreSQL {self.postgresql}"
        if self.timescaledb is None:
            return f"PostgreSQL {self.postgresql}, which has no TimescaleDB"
        if self.is_loaded:
            why = "the database was made without it"
        else:
            why = "shared_preload_libraries does not name it"
        return f"PostgreSQL {self.postgresql} without TimescaleDB {self.timescaledb}: {why}"


def decide_engine(facts: Facts, chosen: str | None) -> str:
    """
    Return the engine: the one chosen before, else the best that is there.

    Raises MigrationError.
    """
    has_timescaledb = facts.timescaledb is not None and facts.is_loaded
    if chosen == TIMESCALEDB and not has_timescaledb:
        raise MigrationError(
            "this database stores its readings with TimescaleDB, which this server has not loaded; "
            "install it and name timescaledb in shared_preload_libraries"
        )
    engine = chosen or (TIMESCALEDB if has_timescaledb else POSTGRESQL)
    if engine == TIMESCALEDB and parse_version(facts.timescaledb or "") < TIMESCALEDB_FLOOR:
        raise MigrationError(
            f"TimescaleDB {facts.timescaledb} is too old; use 2.18 or newer, {WITHOUT}"
        )
    return engine


def check_licence(licence: str | None) -> None:
    """Raise MigrationError for an edition that lacks what we need."""
    if licence != "timescale":
        raise MigrationError(
            f"this TimescaleDB runs under the licence {licence!r}, which lacks compression and "
            "continuous aggregates; install the edition under the Timescale licence "
            f"(timescaledb.license = 'timescale'), {WITHOUT}"
        )


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with: 2.23.0-dev is (2, 23, 0)."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def choose_engine(connection: Connection) -> str:
    """Return the engine of a database, chosen now if it is new. Raises MigrationError."""
    engine = decide_engine(read_facts(connection), read_choice(connection))
    if engine == TIMESCALEDB:
        connection.execute(MAKE_EXTENSION)
        (row,) = connection.execute(READ_LICENCE).fetchall()
        check_licence(row["licence"])
    connection.execute(KEEP_CHOICE, [engine])
    return engine


def read_facts(connection: Connection) -> Facts:
    """Ask the server."""
    (row,) = connection.execute(READ_FACTS).fetchall()
    return Facts(**row)


def read_choice(connection: Connection) -> str | None:
    """Return the engine chosen before."""
    row = connection.execute(READ_CHOICE).fetchone()
    return row["engine"] if row else None


def describe_engine(connection: Connection) -> str:
    """Return for people what stores the readings of a migrated database."""
    return read_facts(connection).describe(read_choice(connection) or POSTGRESQL)
