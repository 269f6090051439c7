"""The levels hold the same rows whatever stores them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fix_postgres import copy_database

sys.path.insert(0, str(Path(__file__).parent))

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


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_asks_something(path):
    """Each file says what it shows, and has rows to compare."""
    text = path.read_text()

    assert text.startswith("-- ")
    assert any(step.rows for step in parse_steps(text) if step.kind == "expect")
