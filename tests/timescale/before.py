"""A database as it was before a migration, to be migrated."""

from __future__ import annotations

import uuid
from contextlib import contextmanager

from fix_postgres import Database
from fleet_timescale.migrate import BOOTSTRAP, ROOT, _note, load_scripts


def migrate_before(connection, migration):
    """Apply the migrations before one, without functions."""
    connection.execute(BOOTSTRAP)
    for script in load_scripts(ROOT / "migrations"):
        if script.name.endswith(migration):
            return
        connection.execute(script.sql)
        _note(connection, script.name, script.sha256)


@contextmanager
def database_before(postgres, migration):
    """Yield a connection to a new database as it was before a migration."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with Database(postgres.port, "postgres").connect() as server:
        server.execute(f"CREATE DATABASE {name}")
        with Database(postgres.port, name).connect() as connection:
            migrate_before(connection, migration)
            yield connection
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
