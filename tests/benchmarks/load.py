"""Ask an HTTP server over kept-open connections, as fast as it answers. Little else is measured."""

from __future__ import annotations

import multiprocessing
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HEAD_END = b"\r\n\r\n"
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Ask:
    """Requests to send in turn: `requests` are whole, ready to be sent."""

    port: int
    requests: tuple[bytes, ...]


def render(method: str, path: str, token: str = "", body: bytes = b"") -> bytes:
    """Return a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += ["Content-Type: application/json"] if body else []
    return "\r\n".join(lines).encode() + HEAD_END + body


class Connection:
    """One connection, opened again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def send(self, request: bytes) -> float:
        """Return the seconds until the last byte of the answer. Raises for any but 2xx."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), TIMEOUT_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        self._socket.sendall(request)
        head, _, body = self._receive(b"", HEAD_END).partition(HEAD_END)
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].split()[0])
        while len(body) < length:
            body += self._socket.recv(65536)
        seconds = time.perf_counter() - began
        if not lower.startswith(b"http/1.1 2"):
            raise RuntimeError(f"port {self._port} answered {head[:40]!r} {body[:200]!r}")
        if b"connection: close" in lower:
            self._socket.close()
            self._socket = None
        return seconds

    def _receive(self, data: bytes, end: bytes) -> bytes:
        assert self._socket is not None
        while end not in data:
            piece = self._socket.recv(65536)
            if not piece:
                raise RuntimeError(f"port {self._port} closed the connection")
            data += piece
        return data


def measure_latency(ask: Ask, count: int) -> list[float]:
    """Return the seconds of each request, one after the other."""
    connection, requests = Connection(ask.port), cycle(ask.requests)
    return [connection.send(next(requests)) for _ in range(count)]


def measure_rate(ask: Ask, connections: int, seconds: float) -> float:
    """Return answers a second over many connections, asked from a process of their own."""
    with multiprocessing.get_context("spawn").Pool(1) as other:
        return other.apply(_flood, (ask, connections, seconds))


def _flood(ask: Ask, connections: int, seconds: float) -> float:
    shares: Sequence[Iterator[bytes]] = [
        cycle(ask.requests[at::connections] or ask.requests) for at in range(connections)
    ]
    began = time.monotonic()
    with ThreadPoolExecutor(connections) as threads:
        counts = threads.map(lambda share: _ask_until(ask.port, share, began + seconds), shares)
        return sum(counts) / (time.monotonic() - began)


def _ask_until(port: int, requests: Iterator[bytes], end: float) -> int:
    connection, count = Connection(port), 0
    while time.monotonic() < end:
        connection.send(next(requests))
        count += 1
    return count
