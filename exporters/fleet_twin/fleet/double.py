"""Another machine that says that it is a node, as one does whose disk is a copy."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import psycopg
from fleet_orchestrator.agent import identity

if TYPE_CHECKING:
    from fleet_timescale.connection import Connect

logger = logging.getLogger(__name__)

MACHINE = identity.Machine("a copy of it", "another-machine")
BEAT_SECONDS = 2.0


class Double:
    """Speaks for the node of its connection from when nobody else does so, until `end`."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._stop = threading.Event()
        self.has_name = False
        threading.Thread(target=self._run, name="double", daemon=True).start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._connect() as connection:
                    self.has_name = identity.hold(connection, MACHINE) is None
            except psycopg.Error as exc:
                logger.warning("the double is not heard", extra={"error": str(exc)})
            self._stop.wait(BEAT_SECONDS)

    def end(self) -> None:
        """Fall silent; the node's own machine may speak again some seconds later."""
        self._stop.set()
