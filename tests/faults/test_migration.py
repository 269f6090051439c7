"""A migration that is killed in the middle leaves nothing; the next one does it all."""

from __future__ import annotations

import shutil
import subprocess
import sys

from fix_fleet import wait_until
from fleet_timescale.migrate import ROOT, migrate

LOCK = 4242
SLOW = f"ALTER TABLE fleet.nodes ADD COLUMN made integer; SELECT pg_advisory_xact_lock({LOCK})"
SCRIPT = """
import sys
from pathlib import Path
from fleet_timescale.connection import connect
from fleet_timescale.migrate import migrate
migrate(connect(sys.argv[1], "migration"), Path(sys.argv[2]))
"""
WAITS = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
RUNS = "SELECT FROM pg_stat_activity WHERE application_name = 'migration'"
COLUMN = """SELECT count(*)::int AS n FROM pg_attribute
WHERE attrelid = 'fleet.nodes'::regclass AND attname = 'made'"""


def test_killed_migration_leaves_nothing(database, owner, tmp_path):
    """Killed behind its ALTER TABLE: the column is not there, and comes with the next run, once."""
    for folder in ("migrations", "engines", "functions", "data"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "migrations/9999_slow.sql").write_text(SLOW)
    owner.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    command = [sys.executable, "-c", SCRIPT, database.dsn(), tmp_path]
    with subprocess.Popen(command) as process:
        wait_until(lambda: owner.execute(WAITS, [LOCK]).fetchall(), "it has altered the table")
        process.kill()

    owner.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    wait_until(lambda: not owner.execute(RUNS).fetchall(), "its session has ended")
    before = owner.execute(COLUMN).fetchone()
    applied = migrate(owner, tmp_path)

    assert (before, applied[0]) == ({"n": 0}, "9999_slow")
    assert owner.execute(COLUMN).fetchone() == {"n": 1}
    assert migrate(owner, tmp_path) == []
