"""One connection that listens for all nodes; agents wait for its news instead of the server's."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

import psycopg
from fleet_orchestrator.node import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_timescale.connection import Connection

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
LOOK_SECONDS = 0.5
NOTES_MAX = 200  # more come only while an agent is frozen, and it looks for itself afterwards


class Notices:
    """What was notified, numbered; the oldest are forgotten."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._notes: deque[psycopg.Notify] = deque(maxlen=NOTES_MAX)
        self.count = 0

    def tell(self, note: psycopg.Notify) -> None:
        """Wake all who wait."""
        with self._condition:
            self._notes.append(note)
            self.count += 1
            self._condition.notify_all()

    def wait(self, heard: int, seconds: float) -> tuple[int, list[psycopg.Notify]]:
        """Return how many there were, and those after the first `heard`; waits at most so long."""
        with self._condition:
            self._condition.wait_for(lambda: self.count > heard, seconds)
            new = min(self.count - heard, len(self._notes))
            return self.count, list(self._notes)[len(self._notes) - new :]

    def listen(self, connect: Callable[[], Connection], stop: threading.Event) -> None:
        """Tell each notification until `stop`; the database may come and go."""
        while not stop.is_set():
            try:
                with connect() as connection:
                    for channel in CHANNELS:
                        connection.execute(f"LISTEN {channel}".encode())
                    # For what was notified before we listened.
                    self.tell(psycopg.Notify(CHANNELS[0], "", 0))
                    while not stop.is_set():
                        for note in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                            self.tell(note)
            except psycopg.OperationalError as exc:
                logger.warning("cannot listen for notifications", extra={"error": str(exc)})
                stop.wait(RETRY_SECONDS)
