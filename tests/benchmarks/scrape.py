"""Scrape as Prometheus does: one kept-open connection, gzip accepted. Little else is measured."""

from __future__ import annotations

import socket
import time
import zlib

REQUEST = (
    b"GET /metrics HTTP/1.1\r\nHost: benchmark\r\nAccept: text/plain;version=0.0.4;q=1\r\n"
    b"Accept-Encoding: gzip\r\n\r\n"
)
HEAD_END, CHUNKS_END = b"\r\n\r\n", b"0\r\n\r\n"
READ_BYTES = 1 << 18
TIMEOUT_SECONDS = 10.0


class Scraper:
    """One connection to an exporter; opened again when the other side has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def scrape(self) -> tuple[float, bytes]:
        """Return seconds from the request to the last byte of the answer, and the body as sent."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), TIMEOUT_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = time.perf_counter()
        self._socket.sendall(REQUEST)
        head, body = self._read()
        seconds = time.perf_counter() - started
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(f"port {self._port} answered {head[:40]!r}")
        if b"connection: close" in head:
            self.close()
        return seconds, body

    def _read(self) -> tuple[bytes, bytes]:
        data = b""
        while HEAD_END not in data:
            data += self._receive()
        head, _, body = data.partition(HEAD_END)
        head = head.lower()
        if b"transfer-encoding: chunked" in head:
            while not body.endswith(CHUNKS_END):
                body += self._receive()
            return head, join_chunks(body)
        length = int(head.partition(b"content-length:")[2].split()[0])
        while len(body) < length:
            body += self._receive()
        return head, body

    def _receive(self) -> bytes:
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise RuntimeError(f"port {self._port} closed the connection")
        return data

    def close(self) -> None:
        """Let the connection go."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def join_chunks(data: bytes) -> bytes:
    """Return the body of a chunked answer."""
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return body
        body, data = body + data[:length], data[length + 2 :]


def read_series(body: bytes) -> list[str]:
    """Return the names of all series of a gzipped page, one entry a series."""
    text = zlib.decompress(body, 31).decode()
    return [
        line.partition("{")[0].split(" ")[0]
        for line in text.splitlines()
        if line and not line.startswith("#")
    ]
