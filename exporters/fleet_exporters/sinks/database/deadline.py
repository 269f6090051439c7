"""Give a connection up that does not answer: nothing else ends a call to a server that hangs."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleet_timescale.connection import Connection

logger = logging.getLogger(__name__)


class Deadline:
    """Knows since when a connection is waited for; another thread says when that is too long."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._waiting: tuple[float, Connection] | None = None
        self._lock = threading.Lock()

    @contextmanager
    def over(self, connection: Connection) -> Iterator[None]:
        """Have the connection watched inside."""
        with self._lock:
            self._waiting = self._clock(), connection
        try:
            yield
        finally:
            with self._lock:
                self._waiting = None

    def enforce(self) -> None:
        """Shut the connection's socket down if it is late; whoever waits gets an error."""
        with self._lock:  # so that the number cannot be another file's meanwhile
            if self._waiting is None or self._clock() - self._waiting[0] <= self._seconds:
                return
            connection, self._waiting = self._waiting[1], None
            logger.warning("database does not answer", extra={"seconds": self._seconds})
            if connection.closed:
                return
            with socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as silent:
                try:
                    silent.shutdown(socket.SHUT_RDWR)
                except OSError:
                    logger.debug("connection was gone already")
