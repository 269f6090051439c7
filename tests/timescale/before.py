"""A database as it was before there were levels, to be migrated."""

from __future__ import annotations

from fleet_timescale.migrate import BOOTSTRAP, ROOT, _note, load_scripts


def migrate_before_levels(connection):
    """Apply the migrations up to that of the levels, without functions."""
    connection.execute(BOOTSTRAP)
    for script in load_scripts(ROOT / "migrations"):
        if script.name.endswith("create_levels"):
            return
        connection.execute(script.sql)
        _note(connection, script.name, script.sha256)
