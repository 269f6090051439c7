"""
Writes the sums of the audit log when their minute has ended, also when nobody asks anything more.

Run by gunicorn's hooks, in a thread of the worker; at its end also the sums of the running minute
are written.
"""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import TYPE_CHECKING

from fleet_control_api import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_control_api.context import Services

log = logging.getLogger(__name__)

PAUSE = 1.0  # seconds between two looks; a sum is written so long after its minute
WAIT_AT_END = 1.0  # seconds for a connection; gunicorn ends us 3 s after the signal


class Flusher:
    """A thread that writes sums until `is_alive` says no, or `stop` is called."""

    def __init__(
        self, services: Services, is_alive: Callable[[], bool], pause: float = PAUSE
    ) -> None:
        self._services = services
        self._is_alive = is_alive
        self._pause = pause
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="audit-sums", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, then write what was counted after its last look."""
        self._stopped.set()
        self._thread.join()
        write_all(self._services)

    def _run(self) -> None:
        while self._is_alive() and not self._stopped.wait(self._pause):
            try:
                write_ended(self._services)
            except Exception:  # the thread must live on: nobody would notice that it is gone
                log.exception("sums of the audit log could not be written")
        # The program is ending: requests that still run may take longer than it lives.
        write_all(self._services)


def write_ended(services: Services) -> None:
    """Write the sums of a minute that has ended."""
    audit.write_alone(services.database, services.tally.take_ended())


def write_all(services: Services) -> None:
    """Write all sums."""
    audit.write_alone(services.database, services.tally.take_all(), wait=WAIT_AT_END)
