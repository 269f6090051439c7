"""What the exporter understands of a request, and how it answers."""

from __future__ import annotations

import socket
from http import HTTPStatus

import pytest
from fix_http import serving
from fleet_exporters.sinks.page.access import Access
from fleet_exporters.sinks.page.prometheus import Page
from fleet_exporters.sinks.page.request import HEAD_MAX, Request, parse, render_answer
from fleet_exporters.sinks.page.server import Server

PROMETHEUS = (
    b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9100\r\nUser-Agent: Prometheus/3.15.0\r\n"
    b"Accept: text/plain;version=0.0.4;q=0.1\r\nAccept-Encoding: gzip\r\n"
    b"X-Prometheus-Scrape-Timeout-Seconds: 4\r\n"
)


class OnePage:
    """Has a page that never grows old."""

    access = Access()

    def page(self):
        return Page(b"body", b"gzipped", 0.0)


@pytest.fixture
def ask():
    """Send bytes on one connection, and get all that comes until the server closes it."""
    server = Server(("127.0.0.1", 0), {b"": OnePage()}.get, 5.0, clock=lambda: 0.0)

    def send(*pieces):
        with socket.create_connection(("127.0.0.1", server.server_port), 5) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b""))

    with serving(server):
        yield send


def test_scrape_of_prometheus_is_understood():
    """It takes gzip and keeps its connection."""
    assert parse(PROMETHEUS) == Request(b"GET", b"/metrics", takes_gzip=True, keeps_open=True)


@pytest.mark.parametrize(
    ("head", "takes_gzip", "keeps_open"),
    [
        (b"GET /metrics HTTP/1.1\r\n", False, True),
        (b"GET /metrics?x=1 HTTP/1.0\r\nAccept-Encoding: gzip\r\n", True, False),
        (b"GET /metrics HTTP/1.1\nCONNECTION: Close\n", False, False),
        (b"GET /metrics HTTP/1.1\r\nContent-Length: 5\r\n", False, False),
        (b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", False, False),
        (b"GET /metrics HTTP/1.1\r\nno field\r\n: \r\n", False, True),
    ],
    ids=["plain", "old", "close", "body", "chunked", "odd"],
)
def test_connection_is_kept_only_where_the_next_request_can_be_found(head, takes_gzip, keeps_open):
    """A body that nobody reads would be taken for a request."""
    assert parse(head) == Request(b"GET", b"/metrics", takes_gzip, keeps_open)


@pytest.mark.parametrize(
    "head", [b"hello\r\n", b"GET /metrics\r\n", b"GET / HTTP/9\r\n", b"\xff \x00"]
)
def test_what_is_no_request_is_none(head):
    """TLS to a plain port, a port scan."""
    assert parse(head) is None


def test_answer_says_how_long_it_is():
    """A kept connection needs the length; a gzipped page says so."""
    answer = render_answer(HTTPStatus.OK, b"body", 0, is_gzip=True, keeps_open=True)
    head, _, body = answer.partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n" in head
    assert b"Content-Length: 4" in head
    assert b"Content-Encoding: gzip" in head
    assert b"Connection" not in head
    assert body == b"body"


def test_requests_are_answered_one_after_the_other(ask):
    """On one connection, also when the second comes before the first is answered."""
    said = ask(PROMETHEUS + b"\r\n" + b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")

    first, second = said.split(b"HTTP/1.1 ")[1:]
    assert first.endswith(b"\r\n\r\ngzipped")
    assert second.endswith(b"\r\n\r\nok\n")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"501"),
        (b"hello\r\n\r\n", b"400"),
        (b"GET /secret HTTP/1.0\r\n\r\n", b"404"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * HEAD_MAX, b"431"),
    ],
    ids=["method", "noise", "path", "long"],
)
def test_refusal_has_its_status_and_ends(ask, data, status):
    """Nobody can make the exporter read for ever."""
    said = ask(data)

    assert said.startswith(b"HTTP/1.1 " + status)
    assert b"Connection: close" in said


def test_request_may_come_in_pieces_and_after_empty_lines(ask):
    """TCP keeps no borders; some clients send an empty line too many."""
    pieces = [b"\r\n\r\nGET /heal", b"thz HTTP/1.0\r\nHost: x\r", b"\n\r", b"\n"]

    assert ask(*pieces).endswith(b"\r\n\r\nok\n")


def test_half_a_request_is_no_request(ask):
    """A client that hangs up gets nothing."""
    assert ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n") == b""


def test_silent_connection_is_closed(caplog):
    """A client that neither asks nor hangs up keeps no thread for ever; that is no failure."""
    server = Server(
        ("127.0.0.1", 0), {b"": OnePage()}.get, 5.0, clock=lambda: 0.0, idle_seconds=0.05
    )

    with serving(server), socket.create_connection(("127.0.0.1", server.server_port), 5) as client:
        assert client.recv(1) == b""

    assert caplog.messages == []
