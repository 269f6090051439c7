"""
Hang up on a server at once, although another thread waits for its next byte.

Until it notices, the server writes tokens that nobody reads; closing the response would have to
wait for the next one.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass
class HangUp:
    """Holds the connection of one answer while that is being read."""

    _socket: socket.socket | None = None

    def hold(self, extensions: dict[str, Any]) -> None:
        """Take the connection out of a response's extensions."""
        stream = extensions.get("network_stream")
        self._socket = stream and stream.get_extra_info("socket")

    def release(self) -> None:
        """Leave the connection alone: its answer is complete, another call may use it."""
        self._socket = None

    def now(self) -> None:
        """End the connection, if there still is one: its reader sees the end of the answer."""
        held = self._socket  # the reader may release it any moment
        if held is not None:
            with suppress(OSError):  # the server was faster
                held.shutdown(socket.SHUT_RDWR)
