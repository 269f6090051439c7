"""Which processes are ours, so that a busy model server is not taken for the owner's work."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace

import psutil
import pytest
from fleet_orchestrator.own_processes import (
    LOOK_SECONDS,
    OwnProcesses,
    find_listeners,
    parse_local_port,
    read_connections,
)


def connection(pid, port, status=psutil.CONN_LISTEN):
    return SimpleNamespace(pid=pid, status=status, laddr=SimpleNamespace(port=port))


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://127.0.0.1:11434/v1", 11434),
        ("http://localhost/v1", 80),
        ("https://[::1]/v1", 443),
        ("http://gpu-box:8000/v1", None),
    ],
)
def test_only_a_server_of_this_machine_has_a_port(url, port):
    """Whoever listens on the same port here is not the server of another machine."""
    assert parse_local_port(url) == port


def test_listeners_of_the_port():
    """Neither clients nor other ports, nor processes that we may not see."""
    rows = [connection(5, 80), connection(6, 80, "ESTABLISHED"), connection(7, 81)]

    assert find_listeners([*rows, connection(None, 80)], 80) == {5}


def test_real_listener_is_found():
    """A socket of this process is seen with our own id."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        assert find_listeners(read_connections(), port) == {os.getpid()}


def test_supervised_agent_counts_the_whole_fleet():
    """Under supervisord its other programs are ours too; otherwise our parent is a stranger."""
    url = "http://elsewhere/v1"

    assert OwnProcesses(url, {}).find() == {os.getpid()}
    assert OwnProcesses(url, {"SUPERVISOR_ENABLED": "1"}).find() == {os.getpid(), os.getppid()}


def test_server_is_looked_for_once_a_minute():
    """A look costs milliseconds; a server that was started anew is found at the next one."""
    now, listening = [0.0], [connection(5, 80)]
    own = OwnProcesses("http://localhost/v1", {}, lambda: listening, lambda: now[0])
    seen = [own.find()]
    listening[:] = [connection(6, 80)]
    for now[0] in (LOOK_SECONDS - 1, LOOK_SECONDS):
        seen.append(own.find())

    assert [ids - {os.getpid()} for ids in seen] == [{5}, {5}, {6}]
