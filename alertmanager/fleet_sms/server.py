"""The HTTP side of the bridge: Alertmanager's webhook, /metrics, /healthz. Loopback only."""

from __future__ import annotations

import hmac
import json
import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from fleet_sms.spool import SpoolFullError
from fleet_sms.text import parse_notice

if TYPE_CHECKING:
    from fleet_sms.bridge import Bridge

logger = logging.getLogger(__name__)

BODY_BYTES = 2_000_000
TIMEOUT_SECONDS = 15.0


class Server(ThreadingHTTPServer):
    """A server that knows the bridge, and the token that Alertmanager shows."""

    def __init__(self, address: tuple[str, int], bridge: Bridge, token: str) -> None:
        super().__init__(address, Handler)
        self.bridge = bridge
        self.authorization = f"Bearer {token}".encode()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    timeout = TIMEOUT_SECONDS

    def do_GET(self) -> None:
        """Answer with the metrics, or that it lives."""
        if self.path == "/metrics":
            page = generate_latest(self.server.bridge.metrics.registry)
            self._answer(HTTPStatus.OK, page, CONTENT_TYPE_LATEST)
        elif self.path == "/healthz":
            self._answer(HTTPStatus.OK, b"ok\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"not found\n")

    def do_POST(self) -> None:
        """Take a notice; 200 means that it is on disk."""
        shown = self.headers.get("Authorization", "").encode()
        length = self.headers.get("Content-Length", "")
        if self.path != "/alerts":
            self._answer(HTTPStatus.NOT_FOUND, b"not found\n")
        elif not hmac.compare_digest(shown, self.server.authorization):
            self._answer(HTTPStatus.UNAUTHORIZED, b"the token is wrong\n")
        elif not length.isdecimal() or int(length) > BODY_BYTES:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"too large\n")
        else:
            self._take(self.rfile.read(int(length)))

    def _take(self, body: bytes) -> None:
        try:
            fate = self.server.bridge.take(parse_notice(json.loads(body)))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as exc:
            logger.warning("A notice cannot be read.", extra={"error": repr(exc)})
            self._answer(HTTPStatus.BAD_REQUEST, b"this is no webhook of Alertmanager\n")
        except (OSError, SpoolFullError) as exc:
            logger.exception("A notice cannot be kept.")
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"not kept: {exc}\n".encode())
        else:
            self._answer(HTTPStatus.OK, f"{fate}\n".encode())

    def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the name of http.server
        """Log nothing: what matters is logged as an event."""
