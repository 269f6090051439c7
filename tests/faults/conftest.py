"""What breaks in these tests: a database server, a network, a disk."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from fix_postgres import Server, make_database
from fleet_exporters.sinks.database.timescale import Ingest
from fleet_stack.parts.programs import find_tools

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1] / "orchestrator"))  # its stub model server

from program import Program
from proxy import Proxy
from readings import open_spool

EMPTY = """TRUNCATE telemetry.hardware, telemetry.gpu, telemetry.disks, telemetry.temperatures,
telemetry.network, telemetry.disk_io"""
SMALL_BYTES = 64 << 10  # sixteen pages


class CountingWrite:
    """A write to a disk without more room, for users who may not mount one."""

    def __init__(self, folder, size_bytes):
        self._folder = folder
        self._size_bytes = size_bytes

    def __call__(self, handle, data):
        free = self._size_bytes - sum(path.stat().st_size for path in self._folder.rglob("*.ticks"))
        if free <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(handle, data[:free])


@pytest.fixture(scope="session")
def own_server(postgres):
    """A migrated server with nodes alpha and beta that a test may stop."""
    made = Server(postgres.programs)
    make_database(made.port)
    yield made
    made.remove()


@pytest.fixture
def server(own_server):
    """The server, running and without readings."""
    own_server.start()
    with own_server.connect() as owner:
        owner.execute(EMPTY)
    return own_server


@pytest.fixture
def proxy(server):
    made = Proxy(server.port)
    yield made
    made.close()


@pytest.fixture
def exporter(server, tmp_path):
    """The real program of node alpha, not started yet."""
    made = Program(tmp_path, server.dsn("alpha"))
    yield made
    made.kill()


@pytest.fixture
def spool_folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def spool(spool_folder):
    return open_spool(spool_folder)


@pytest.fixture
def ingest(server, spool):
    """The sink of node alpha, straight to the server."""
    made = Ingest(partial(server.connect, "alpha"), spool)
    yield made
    made.close()


@pytest.fixture
def small_disk(tmp_path):
    """
    A folder on a disk that takes so many bytes, and what writes there.

    A small tmpfs where we may mount one, else a write that says ENOSPC: see Segments.
    """
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES}", "tmpfs", folder],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        yield folder, CountingWrite(folder, SMALL_BYTES)
    else:
        yield folder, os.write
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="session")
def promtool():
    return find_tools(os.environ, print)["promtool"]
