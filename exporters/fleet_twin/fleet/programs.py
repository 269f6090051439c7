"""
What happens to the programs of a twin's home, told as events.

On a real machine its node agent tells it. The agents of a twin are on machines that do not exist,
so the twin reads the supervisor's log for all; also that it was killed itself, once it runs again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    import threading

    from fleet_orchestrator.events.spool import EventSpool
    from fleet_timescale.connection import Connect

logger = logging.getLogger(__name__)

MACHINE = "the machine of the twin"
LOOK_SECONDS = 1.0
RETRY_SECONDS = 2.0


def tell_programs(connect: Connect, spool: EventSpool, stop: threading.Event) -> None:
    """Tell until `stop`; while the database is away the log waits for us."""
    while not stop.is_set():
        try:
            with connect() as connection:
                while not stop.wait(LOOK_SECONDS):
                    spool.tell(connection)
        except psycopg.OperationalError as exc:
            logger.warning("events of programs wait", extra={"error": str(exc)})
            stop.wait(RETRY_SECONDS)
