"""The runner of migrations, and what it leaves."""

from __future__ import annotations

import shutil
import threading

import pytest
from fleet_timescale.errors import MigrationError
from fleet_timescale.migrate import ROOT, Script, decide_pending, migrate


def copy_scripts(target):
    for folder in ("migrations", "engines", "functions", "data"):
        shutil.copytree(ROOT / folder, target / folder)


def test_second_run_applies_nothing(owner):
    """A database that is up to date stays as it is."""
    assert migrate(owner) == []


def test_changed_migration_is_refused():
    """An applied migration that was edited names itself."""
    script = Script("0001_x", "SELECT 1")

    with pytest.raises(MigrationError, match="0001_x differs"):
        decide_pending([script], {"0001_x": "another sum"})


def test_newer_database_is_refused(owner):
    """A database of a newer checkout is left alone, with the remedy."""
    owner.execute("INSERT INTO fleet.migrations VALUES ('9999_future', 'x')")

    with pytest.raises(MigrationError, match="9999_future, which this checkout lacks"):
        migrate(owner)


def test_failed_migration_leaves_nothing(owner, tmp_path):
    """A broken script rolls back all that ran before it in the same run."""
    copy_scripts(tmp_path)
    (tmp_path / "migrations/9998_good.sql").write_text("CREATE TABLE fleet.made (x int)")
    (tmp_path / "migrations/9999_bad.sql").write_text("SELECT * FROM nowhere")

    with pytest.raises(MigrationError, match="9999_bad"):
        migrate(owner, tmp_path)

    assert owner.execute("SELECT to_regclass('fleet.made') AS made").fetchone() == {"made": None}


def test_two_runs_at_once_apply_once(database, tmp_path):
    """The second waits for the first and finds nothing left to do."""
    copy_scripts(tmp_path)
    (tmp_path / "migrations/9999_made.sql").write_text("CREATE TABLE fleet.made (x int)")
    barrier, done = threading.Barrier(2), []

    def run():
        with database.connect() as connection:
            barrier.wait(10)
            done.append(migrate(connection, tmp_path))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(len(applied) for applied in done) == [0, 2]


def test_old_server_is_refused():
    """A PostgreSQL without what the functions use is named before anything is changed."""

    class Old:
        class info:  # noqa: N801 - as psycopg calls it
            server_version = 140011

    with pytest.raises(MigrationError, match="PostgreSQL 14 is too old; use 15 or newer"):
        migrate(Old())
