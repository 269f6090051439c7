"""The levels hold the same rows whatever stores them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from fix_fleet import fleet_error
from fix_postgres import copy_database
from fleet_timescale.engine import choose_engine, describe_engine

sys.path.insert(0, str(Path(__file__).parent))

import timescaledb
from scenario import FOLDER, parse_steps, play, prepare

SCENARIOS = sorted(FOLDER.glob("*.sql"))


def settle_postgresql(connection, hours):
    """Do the upkeep until it has nothing left."""
    at = f"clock_timestamp() - interval '{hours} hours'"
    while connection.execute(f"SELECT telemetry.upkeep({at}) AS n").fetchone()["n"]:
        pass


@pytest.fixture(scope="module")
def postgresql(database_template):
    with copy_database(database_template) as copy, copy.connect() as connection:
        prepare(connection)
        yield connection


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_on_postgresql(path, postgresql):
    """Partitions and rollups of plain PostgreSQL."""
    for given, expected in play(postgresql, settle_postgresql, path.read_text()):
        assert given == expected


@pytest.fixture(scope="module")
def pglite(tmp_path_factory):
    with timescaledb.pglite(tmp_path_factory.mktemp("scripts")) as connection:
        prepare(connection)
        yield connection


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_on_timescaledb(path, pglite):
    """Hypertables, compression, continuous aggregates and policies of TimescaleDB."""
    for given, expected in play(pglite, timescaledb.settle, path.read_text()):
        assert given == expected


def test_rows_from_before_are_in_the_levels_of_timescaledb(pglite):
    """A migration loses no row, and rolls all of them up before any policy may drop them."""
    hours = "SELECT sum(samples)::int AS n FROM analytics.temperatures_1h WHERE node = 'before'"

    assert pglite.execute(hours).fetchone()["n"] == 2


def test_timescaledb_is_told_and_kept(pglite):
    """The database says what it was made with, and another migration changes nothing."""
    assert describe_engine(pglite).startswith("TimescaleDB 2.")
    assert choose_engine(pglite) == "timescaledb"


def test_old_readings_are_compressed(pglite):
    """What is older than some hours lies in the column store, and can be read as before."""
    pglite.execute(
        "INSERT INTO telemetry.gpu (time, node, gpu) SELECT now() - interval '9 hours'"
        " - n * interval '5 seconds', 'compressed', '0' FROM generate_series(1, 1000) n"
    )
    timescaledb.settle(pglite, 0)

    chunks = "SELECT count(*) AS n FROM timescaledb_information.chunks WHERE is_compressed"
    assert pglite.execute(f"{chunks} AND hypertable_name = 'gpu'").fetchone()["n"] > 0
    rows = "SELECT count(*) AS n FROM analytics.gpu WHERE node = 'compressed'"
    assert pglite.execute(rows).fetchone()["n"] == 1000


def test_node_writes_readings_of_itself_only_on_timescaledb(pglite):
    """The login of a node cannot tell anything in another's name, also in a chunk."""
    pglite.execute(
        "SELECT fleet.enroll_node(gen_random_uuid(), 'gamma', '{generate}', '127.0.0.1:1', NULL)"
    )
    write = "INSERT INTO telemetry.disks VALUES (now(), '{}', '/', 1, 2)"
    pglite.execute("SET SESSION AUTHORIZATION fleet_node_gamma")
    try:
        pglite.execute(write.format("gamma"))
        with fleet_error("disks_node_check", sqlstate="23514"):
            pglite.execute(write.format("delta"))
    finally:
        pglite.execute("RESET SESSION AUTHORIZATION")


@pytest.fixture(scope="module")
def server():
    url = os.environ.get("FLEET_TEST_TIMESCALE_URL")
    if not url:
        pytest.skip("FLEET_TEST_TIMESCALE_URL names no server with TimescaleDB")
    with timescaledb.server_database(url) as connection:
        prepare(connection)
        yield connection


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_on_a_server_of_the_user(path, server):
    """The same on any server with TimescaleDB."""
    for given, expected in play(server, timescaledb.settle, path.read_text()):
        assert given == expected


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_asks_something(path):
    """Each file says what it shows, and has rows to compare."""
    text = path.read_text()

    assert text.startswith("-- ")
    assert any(step.rows for step in parse_steps(text) if step.kind == "expect")
