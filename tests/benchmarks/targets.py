"""What watchers are given to ask: HTTP servers that can be killed, or hang, at once."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    #: from path and body of a request to the body of its answer
    Answer = Callable[[str, bytes], bytes]

HEAD_END = b"\r\n\r\n"
GZIP_LEVEL = 1  # as the exporter's


@dataclass
class Target:
    """One server of an event loop; its port stays its own after it was killed."""

    answer: Answer
    port: int = 0
    is_frozen: bool = False
    _server: asyncio.Server | None = None
    _keeper: socket.socket = field(default_factory=socket.socket)
    _open: set[asyncio.Transport] = field(default_factory=set)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> Target:
        """Begin to answer."""
        self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._keeper.bind(("127.0.0.1", 0))
        self.port = self._keeper.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), "127.0.0.1", self.port, backlog=4096, reuse_address=True
        )
        return self

    def kill(self) -> None:
        """End as a killed process does: connections are reset, new ones are refused."""
        self._server.close()
        for transport in list(self._open):
            transport.abort()

    def close(self) -> None:
        """Give the port back, too."""
        self.kill()
        self._keeper.close()


class Connection(asyncio.Protocol):
    """A kept-open connection; answers are gzipped, as those of the exporter are."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._data = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Remember whom to hang up on."""
        self._transport = transport
        self._target._open.add(transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget it."""
        self._target._open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """Answer each complete request; a frozen program takes them and says nothing."""
        self._data += data
        while HEAD_END in self._data and not self._target.is_frozen:
            head, _, rest = self._data.partition(HEAD_END)
            length = read_length(head)
            if len(rest) < length:
                return
            body, self._data = rest[:length], rest[length:]
            self._reply(head, body)

    def _reply(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        answer = self._target.answer(path, body)
        kind = b"application/json" if answer[:1] in (b"[", b"{") else b"text/plain; version=0.0.4"
        encoding = b"Content-Encoding: gzip\r\n" if answer[:2] == b"\x1f\x8b" else b""
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n"
            % (kind, encoding, len(answer)) + answer
        )  # fmt: skip


def read_length(head: bytes) -> int:
    """Return how many bytes follow the head of a request."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def compress(page: bytes) -> bytes:
    """Return a page as the exporter sends it."""
    return gzip.compress(page, GZIP_LEVEL)


def render_discovery(places: dict[str, tuple[str, str]]) -> bytes:
    """Return what the control API tells Prometheus: address and path of each node's page."""
    return json.dumps(
        [
            {"targets": [address], "labels": {"node": node, "__metrics_path__": path}}
            for node, (address, path) in places.items()
        ]
    ).encode()
