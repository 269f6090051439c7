"""
A thread that keeps house.

It asks whether the database answers; it writes summary rows of the audit log once their minute has
ended, and its head; and it renews the scrape token where the removal of a node could not.

Started and stopped by gunicorn's hooks; when it stops it also writes the running minute's.
"""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import TYPE_CHECKING

from fleet_control_api.audit import log as audit
from fleet_control_api.audit.head import HeadTeller
from fleet_control_api.service.database_watch import DatabaseWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_control_api.service.context import Services

log = logging.getLogger(__name__)

PAUSE = 1.0  # seconds between two checks, and so the delay after the end of a minute
WAIT_AT_END = 1.0  # seconds for a connection; gunicorn ends us 3 s after the signal


class SummaryWriter:
    """Writes summaries until `is_alive` returns False or `stop` is called."""

    def __init__(
        self, services: Services, is_alive: Callable[[], bool], pause: float = PAUSE
    ) -> None:
        self._services = services
        self._is_alive = is_alive
        self._pause = pause
        self._head = HeadTeller(services)
        self._watch = DatabaseWatch(services.database)
        services.metrics.database_up.set_function(self._watch.read)
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="audit-summaries", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, then write what was counted after its last check."""
        self._stopped.set()
        self._thread.join()
        write_all(self._services)

    def _run(self) -> None:
        while self._is_alive() and not self._stopped.wait(self._pause):
            try:
                self._watch.look()
                write_ended(self._services)
                self._head.tell()
                if self._services.scrape:
                    self._services.scrape.look(self._services.database)
            except Exception:  # the thread must live on: nobody would notice its absence
                log.exception("audit summaries, head or scrape token could not be written")
        self._services.ending.set()
        # The program is ending; requests that still run may outlast this thread.
        write_all(self._services)


def write_ended(services: Services) -> None:
    """Write the summaries of a minute that has ended."""
    audit.write_alone(services.database, services.audit_limit.take_ended())


def write_all(services: Services) -> None:
    """Write all summaries."""
    audit.write_alone(services.database, services.audit_limit.take_all(), wait=WAIT_AT_END)
