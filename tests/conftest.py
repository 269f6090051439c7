"""A real PostgreSQL: one server a worker, one migrated template, one copy of it a test."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import skips
from fix_postgres import Database, Server, copy_database, make_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_timescale.connection import Connection

SLOWEST = ("acceptance", "faults")  # folders
ROLES = ("fleet_control", "fleet_master", "fleet_grafana", "fleet_analyst", "fleet_sms")


def pytest_configure(config: pytest.Config) -> None:
    """Let a skipped test fail the run in CI."""
    if os.environ.get("CI") == "true":
        config.pluginmanager.register(skips)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what waits longest: with several workers all else runs beside it."""
    tests = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(tests).parts[0] not in SLOWEST)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def database_template(postgres: Server) -> Database:
    """The migrated database of make_database, in which more roles may log in."""
    made = make_database(postgres.port)
    with made.connect() as owner:
        for role in ROLES:
            owner.execute(f"ALTER ROLE {role} LOGIN")
    return made


@pytest.fixture
def database(database_template: Database) -> Iterator[Database]:
    """A fresh copy of the template, dropped afterwards."""
    with copy_database(database_template) as copy:
        yield copy


@pytest.fixture
def owner(database: Database) -> Iterator[Connection]:
    """A connection as the owner of the database."""
    with database.connect() as connection:
        yield connection
