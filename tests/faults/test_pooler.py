"""Through PgBouncer in transaction mode, where no two transactions need share a connection."""

from __future__ import annotations

import os
import socket
import subprocess
from functools import partial

import pytest
from fix_fleet import wait_until
from fix_ports import free_port
from fix_postgres import run_as_nobody
from fleet_exporters.sinks.database.timescale import Ingest
from fleet_stack.parts.pooler import find_pooler
from fleet_timescale.connection import connect
from readings import batch, drain, stored

SETTINGS = """\
[databases]
fleet = host=127.0.0.1 port={server} dbname=fleet user=fleet_node_alpha
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
query_wait_timeout = 1
server_login_retry = 0.1
"""


@pytest.fixture(scope="session")
def pgbouncer():
    return find_pooler(os.environ)


@pytest.fixture
def pooled(server, pgbouncer, tmp_path):
    """The address of node alpha's database through a pooler of its own."""
    port = free_port()
    settings = tmp_path / "pgbouncer.ini"
    settings.write_text(SETTINGS.format(server=server.port, port=port))
    with (tmp_path / "log").open("w") as log, settings.open() as opened:
        running = subprocess.Popen(
            [pgbouncer.path, f"/dev/fd/{opened.fileno()}"],
            env={"PATH": os.defpath, **pgbouncer.environment},
            cwd="/",
            pass_fds=[opened.fileno()],
            stdout=log,
            stderr=log,
            **run_as_nobody(),
        )

    def is_open():
        assert running.poll() is None, (tmp_path / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(is_open, "the pooler listens")
        yield f"postgresql://fleet_node_alpha@127.0.0.1:{port}/fleet"
    finally:
        running.terminate()
        running.wait(10)


def test_rows_go_through_a_pooler(server, spool, pooled):
    """First batches, re-sent ones by a temporary table, and others between them: each row once."""
    ingests = [Ingest(partial(connect, pooled, "tests"), spool) for _ in range(3)]
    for number in (0, 1, 0, 2, 1, 3, 3, 4):
        spool.put(batch(number))
        assert ingests[number % 3].step() == 0
    for each in ingests:
        drain(each)
        each.close()

    with server.connect() as owner:
        assert stored(owner) == [0, 1, 2, 3, 4]
    assert sum(spool.dropped_rows.values()) == 0


def test_pooler_that_cannot_reach_the_server_is_waited_for(server, spool, pooled):
    """While the server behind it is down the rows wait; then they come in order."""
    ingest = Ingest(partial(connect, pooled, "tests"), spool)
    spool.put(batch(0))
    drain(ingest)
    server.stop("immediate")
    spool.put(batch(1))
    is_waiting = ingest.step() > 0
    server.start()
    spool.put(batch(2))
    wait_until(lambda: ingest.step() is None, "all is stored")
    ingest.close()

    with server.connect() as owner:
        assert (is_waiting, stored(owner)) == (True, [0, 1, 2])
