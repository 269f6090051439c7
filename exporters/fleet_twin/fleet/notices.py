"""One connection that listens for all nodes; agents wait for its news instead of the server's."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import psycopg
from fleet_orchestrator.node import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_timescale.connection import Connection

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
LOOK_SECONDS = 0.5


class Notices:
    """Counts what was notified."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.count = 0

    def ring(self) -> None:
        """Wake all who wait."""
        with self._condition:
            self.count += 1
            self._condition.notify_all()

    def wait(self, heard: int, seconds: float) -> int:
        """Wait until there is more than `heard`, at most so long; return how much there is."""
        with self._condition:
            self._condition.wait_for(lambda: self.count != heard, seconds)
            return self.count

    def listen(self, connect: Callable[[], Connection], stop: threading.Event) -> None:
        """Ring at each notification until `stop`; the database may come and go."""
        while not stop.is_set():
            try:
                with connect() as connection:
                    for channel in CHANNELS:
                        connection.execute(f"LISTEN {channel}".encode())
                    self.ring()  # for what was notified before we listened
                    while not stop.is_set():
                        for _ in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                            self.ring()
            except psycopg.OperationalError as exc:
                logger.warning("cannot listen for notifications", extra={"error": str(exc)})
                stop.wait(RETRY_SECONDS)
