"""Hostile clients of the control API: it goes on answering the others, and grows by nothing."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import psutil
import pytest
from fix_control import api_server, control_settings, grafana_double

__all__ = ("api_server", "control_settings", "grafana_double")

IDLE = 200
GROWTH_BYTES = 20 << 20
HALF = b"GET /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: a"
HUGE = {
    "10 MB of text": lambda: json.dumps({"scenario": "x" * (10 << 20), "count": 1}),
    "a million keys": lambda: json.dumps(dict.fromkeys(map(str, range(10**6)), 0)),
    "ten thousand levels": lambda: "[" * 10_000 + "]" * 10_000,
}


def connect(url):
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port))


@pytest.mark.parametrize("words", [b"", HALF], ids=["idle", "half a header"])
def test_clients_that_say_nothing_hold_up_nobody(api_server, words):
    """Two hundred of them: reads are answered, and the fleet can be paused."""
    with ExitStack() as stack:
        for _ in range(IDLE):
            stack.enter_context(connect(api_server.url)).sendall(words)

        assert api_server.call("GET", "/jobs").status_code == 200
        assert api_server.call("POST", "/fleet/pause").status_code == 200


def test_head_that_comes_in_pieces_is_answered(api_server):
    """Once it is whole, also the second one on the same connection."""
    head = b"GET /api/v1/healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with connect(api_server.url) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):
            for start in range(0, len(head), 10):
                client.sendall(head[start : start + 10])
            answer = http.client.HTTPResponse(client)
            answer.begin()
            assert (answer.status, answer.read()[:1]) == (200, b"{")


def test_client_that_hangs_up_in_its_head_leaves_nothing(api_server):
    """Its connection is closed by the program, too."""
    with connect(api_server.url) as client:
        client.sendall(HALF)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1000) == b""


def test_client_that_drips_its_body_holds_up_nobody(api_server):
    """It has announced more than it ever sends; there are more threads than such clients."""
    head = b"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    token = f"Authorization: Bearer {api_server.token}\r\n".encode()
    with ExitStack() as stack:
        for _ in range(8):
            client = stack.enter_context(connect(api_server.url))
            client.sendall(head + token + b'Content-Length: 100\r\n\r\n{"sc')

        assert api_server.call("POST", "/fleet/pause").status_code == 200


@pytest.mark.parametrize("body", HUGE)
def test_huge_body_is_refused_and_not_kept(api_server, body):
    """413 or 400, and the program is as large as before."""
    content = HUGE[body]()
    headers = {"Content-Type": "application/json"}
    api_server.call("POST", "/jobs", data=content, headers=headers)
    program = psutil.Process(api_server.process.pid)
    before = measure(program)

    statuses = {
        api_server.call("POST", "/jobs", data=content, headers=headers).status_code
        for _ in range(5)
    }

    assert statuses <= {400, 413}
    assert measure(program) - before < GROWTH_BYTES


def measure(program):
    """The memory of a program and its children."""
    return sum(each.memory_info().rss for each in (program, *program.children(recursive=True)))
