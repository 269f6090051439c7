"""Which engine a database gets, and keeps."""

from __future__ import annotations

import pytest
from fleet_timescale.engine import (
    POSTGRESQL,
    TIMESCALEDB,
    Facts,
    check_licence,
    decide_engine,
    describe_engine,
    parse_version,
)
from fleet_timescale.errors import MigrationError

PLAIN = Facts("18.1", None, is_loaded=False)
UNLOADED = Facts("17.5", "2.23.0", is_loaded=False)
LOADED = Facts("17.5", "2.23.0", is_loaded=True)
OLD = Facts("15.4", "2.17.2", is_loaded=True)


@pytest.mark.parametrize(
    ("facts", "chosen", "engine"),
    [
        (PLAIN, None, POSTGRESQL),
        (UNLOADED, None, POSTGRESQL),
        (LOADED, None, TIMESCALEDB),
        (LOADED, POSTGRESQL, POSTGRESQL),
        (OLD, POSTGRESQL, POSTGRESQL),
        (LOADED, TIMESCALEDB, TIMESCALEDB),
    ],
)
def test_engine_is_the_best_there_is_and_stays(facts, chosen, engine):
    """A new database takes TimescaleDB where it runs; whatever was chosen first is kept."""
    assert decide_engine(facts, chosen) == engine


@pytest.mark.parametrize(
    ("facts", "chosen", "says"),
    [
        (PLAIN, TIMESCALEDB, "has not loaded"),
        (UNLOADED, TIMESCALEDB, "shared_preload_libraries"),
        (OLD, None, "2.17.2 is too old; use 2.18 or newer"),
        (Facts("17.5", "dev", is_loaded=True), None, "dev is too old"),
    ],
)
def test_engine_that_cannot_be_used_is_refused(facts, chosen, says):
    """What is wrong is named with its remedy."""
    with pytest.raises(MigrationError, match=says):
        decide_engine(facts, chosen)


@pytest.mark.parametrize("licence", ["apache", None])
def test_apache_edition_is_refused(licence):
    """The edition without compression and continuous aggregates says so, and what to do."""
    with pytest.raises(MigrationError, match="continuous aggregates; install the edition"):
        check_licence(licence)


def test_timescale_edition_is_taken():
    """The edition that has all we need is no error."""
    check_licence("timescale")


@pytest.mark.parametrize(
    ("text", "numbers"), [("2.23.0-dev", (2, 23, 0)), ("2.9", (2, 9)), ("x", ())]
)
def test_version_is_read(text, numbers):
    """Numbers count as numbers, and what follows them not at all."""
    assert parse_version(text) == numbers


@pytest.mark.parametrize(
    ("facts", "engine", "says"),
    [
        (PLAIN, POSTGRESQL, "PostgreSQL 18.1, which has no TimescaleDB"),
        (UNLOADED, POSTGRESQL, "shared_preload_libraries does not name it"),
        (LOADED, POSTGRESQL, "the database was made without it"),
        (LOADED, TIMESCALEDB, "TimescaleDB 2.23.0 on PostgreSQL 17.5"),
    ],
)
def test_engine_is_described(facts, engine, says):
    """People read what it is, and why it is not the other one."""
    assert says in facts.describe(engine)


def test_database_tells_its_engine(owner):
    """A migrated database knows what it was made with."""
    assert describe_engine(owner).startswith("PostgreSQL ")
