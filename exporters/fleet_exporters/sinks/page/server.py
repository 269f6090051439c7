"""
Serve the rendered page at /metrics and a health check at /healthz; reads no sensor.

The page is for who may scrape (`access.py`), the health check for anybody.
"""

from __future__ import annotations

import logging
import struct
import sys
import time
from contextlib import suppress
from http import HTTPStatus
from socket import (
    AF_INET,
    AF_INET6,
    SHUT_RDWR,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SOL_SOCKET,
)
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING

from fleet_exporters.errors import ExporterError
from fleet_exporters.sinks.page.request import HEAD_END, HEAD_MAX, Request, parse, render_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_exporters.sinks.page.prometheus import Exposition, Page

logger = logging.getLogger(__name__)

STALE_TICKS = 4  # after so many ticks without a reading the page answers 503
MICROSECONDS = 1_000_000
IDLE_SECONDS = 60.0  # a silent connection is closed; Prometheus asks every 5 s


class Handler(StreamRequestHandler):
    """One connection, kept open between scrapes."""

    server: Server
    disable_nagle_algorithm = True  # else the end of a long answer waits for the client
    _rest = b""  # what came with a head and belongs to the next one

    def setup(self) -> None:
        """Have the kernel watch for silence: Python's time-outs cost a system call each time."""
        super().setup()
        seconds = self.server.idle_seconds
        if sys.platform == "linux":
            value = struct.pack("ll", int(seconds), int(seconds % 1 * MICROSECONDS))
            self.request.setsockopt(SOL_SOCKET, SO_RCVTIMEO, value)
            self.request.setsockopt(SOL_SOCKET, SO_SNDTIMEO, value)
        else:
            self.request.settimeout(seconds)

    def handle(self) -> None:
        """Answer requests until the client closes the connection."""
        while head := self._read_head():
            if len(head) > HEAD_MAX:
                self._send(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"request header too large\n"
                )
                return
            request = parse(head)
            if request is None:
                self._send(HTTPStatus.BAD_REQUEST, b"malformed request\n")
                return
            if request.method != b"GET":
                self._send(HTTPStatus.NOT_IMPLEMENTED, b"only GET is supported\n")
                return
            self._answer(request)
            if not request.keeps_open:
                return

    def _read_head(self) -> bytes:
        """Return a head without its empty line; empty when the client has hung up."""
        data = self._rest.lstrip(b"\r\n")  # empty lines before a request mean nothing
        while (end := data.find(HEAD_END)) < 0 and len(data) <= HEAD_MAX:
            more = self.request.recv(HEAD_MAX)
            if not more:
                return b""
            data = (data + more).lstrip(b"\r\n")
        self._rest = data[end + len(HEAD_END) :] if end >= 0 else b""
        return data[:end] if end >= 0 else data

    def _answer(self, request: Request) -> None:
        """Answer /metrics and /healthz."""
        keeps_open = request.keeps_open
        folder, _, name = request.path.rpartition(b"/")
        exposition = self.server.find_exposition(folder)
        if exposition is None or name not in (b"metrics", b"healthz"):
            text = b"not found; there are /metrics and /healthz\n"
            self._send(HTTPStatus.NOT_FOUND, text, keeps_open=keeps_open)
            return
        shown, client = request.authorization, self.client_address[0]
        if name == b"metrics" and not exposition.access.admits(shown, client):
            text = b"the fleet's scrape token is needed; /healthz is open\n"
            self._send(HTTPStatus.UNAUTHORIZED, text, keeps_open=keeps_open)
            return
        page = self.server.fresh_page(exposition)
        if page is None:
            text = b"readings are stale: the tick hangs\n"
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, text, keeps_open=keeps_open)
        elif name == b"healthz":
            self._send(HTTPStatus.OK, b"ok\n", keeps_open=keeps_open)
        elif request.takes_gzip:
            self._send(HTTPStatus.OK, page.gzipped, is_gzip=True, keeps_open=keeps_open)
        else:
            self._send(HTTPStatus.OK, page.body, keeps_open=keeps_open)

    def _send(
        self, status: HTTPStatus, body: bytes, *, is_gzip: bool = False, keeps_open: bool = False
    ) -> None:
        now = int(time.time())
        self.request.sendall(
            render_answer(status, body, now, is_gzip=is_gzip, keeps_open=keeps_open)
        )


class Server(ThreadingTCPServer):
    """One thread per connection; Prometheus needs one."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True  # also a port whose last connections still linger

    def __init__(
        self,
        address: tuple[str, int],
        find_exposition: Callable[[bytes], Exposition | None],
        tick_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """
        Serve at /metrics below a path what `find_exposition` knows of it, a machine's own at b"".

        It raises ConnectionError where nobody is to answer.
        """
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self.find_exposition = find_exposition
        self._stale_after = STALE_TICKS * tick_seconds
        self._clock = clock
        self._is_ended = False
        self.idle_seconds = idle_seconds
        try:
            super().__init__(address, Handler)
        except OSError as exc:
            raise ExporterError(
                f"FLEET_LISTEN {address[0]}:{address[1]} cannot be used: {exc.strerror}; "
                "choose another port or stop what holds it"
            ) from exc

    def serve(self) -> None:
        """Answer until `end`, without waking up in between."""
        while not self._is_ended:
            self.handle_request()

    def end(self) -> None:
        """Take no more connections."""
        self._is_ended = True
        with suppress(OSError):
            self.socket.shutdown(SHUT_RDWR)  # wakes who waits for the next connection
        self.server_close()

    @property
    def server_port(self) -> int:
        """The port that was taken."""
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Log a failed request; a client that hangs up is logged at debug level only."""
        # BlockingIOError: the kernel has waited long enough.
        if isinstance(sys.exception(), (ConnectionError, TimeoutError, BlockingIOError)):
            logger.debug("client hung up", extra={"client": client_address})
        else:
            logger.exception(  # noqa: LOG004 - the server calls this while it handles one
                "request failed", extra={"client": client_address}
            )

    def fresh_page(self, exposition: Exposition) -> Page | None:
        """Return the page, or None while readings are missing or too old to be shown as now."""
        page = exposition.page()
        if page is None or self._clock() - page.read_at > self._stale_after:
            return None
        return page
