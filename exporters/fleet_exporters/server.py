"""Serve the ready page at /metrics and the state of the tick at /healthz; nothing is read here."""

from __future__ import annotations

import logging
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any

from fleet_exporters.errors import ExporterError
from fleet_exporters.sinks.prometheus import CONTENT_TYPE, Exposition, Page

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

STALE_TICKS = 4  # so many ticks without a reading, and the page says so instead of lying
IDLE_SECONDS = 60  # a silent connection is closed; Prometheus asks every 5 s


class Handler(BaseHTTPRequestHandler):
    """One connection, kept open between scrapes."""

    server: Server
    protocol_version = "HTTP/1.1"
    # Head and body are two writes: with Nagle's algorithm a kept-open scrape waits 40 ms.
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        """Answer /metrics and /healthz."""
        path = self.path.partition("?")[0]
        if path not in ("/metrics", "/healthz"):
            self._send(HTTPStatus.NOT_FOUND, b"there are /metrics and /healthz\n")
            return
        page = self.server.fresh_page()
        if page is None:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, b"no fresh reading: the tick hangs\n")
        elif path == "/healthz":
            self._send(HTTPStatus.OK, b"ok\n")
        elif "gzip" in self.headers.get("Accept-Encoding", ""):
            self._send(HTTPStatus.OK, page.gzipped, encoding="gzip")
        else:
            self._send(HTTPStatus.OK, page.body)

    def _send(self, status: HTTPStatus, body: bytes, encoding: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Name the program, not the Python that runs it."""
        return "fleet-exporter"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: a line every 5 s tells nobody anything."""


class Server(ThreadingHTTPServer):
    """A thread a connection; Prometheus needs one."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        address: tuple[str, int],
        exposition: Exposition,
        tick_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self._exposition = exposition
        self._stale_after = STALE_TICKS * tick_seconds
        self._clock = clock
        try:
            super().__init__(address, Handler)
        except OSError as exc:
            raise ExporterError(
                f"FLEET_LISTEN {address[0]}:{address[1]} cannot be used: {exc.strerror}; "
                "choose another port or stop what holds it"
            ) from exc

    def server_bind(self) -> None:
        """Bind without asking the name server who we are, which may take seconds."""
        TCPServer.server_bind(self)  # also takes a port whose last connections still linger
        self.server_name = str(self.server_address[0])
        self.server_port = int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Log what went wrong with a connection; a client that hangs up is nothing to see."""
        if isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            logger.debug("client hung up", extra={"client": client_address})
        else:
            logger.exception(  # noqa: LOG004 - the server calls this while it handles one
                "request failed", extra={"client": client_address}
            )

    def fresh_page(self) -> Page | None:
        """Return the page, or None while readings are missing or too old to be shown as now."""
        page = self._exposition.page()
        if page is None or self._clock() - page.read_at > self._stale_after:
            return None
        return page
