"""
Tell what happened: one event, one row of analytics.events.

What cannot be told at once is told later; the id keeps it from being told twice.
"""

from __future__ import annotations

import logging
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_timescale.connection import Connection

logger = logging.getLogger(__name__)
NAMESPACE = uuid.UUID("0d4f4d1e-93a5-4c2e-8a3f-2f6a3f0f7f51")  # of all derived event ids
INFO, WARNING, ERROR = "info", "warning", "error"
# What says that the server is gone, going, coming, or full; other errors say that it is there.
AWAY = ("08", "53300", "57P")
# Threads find their own broken connections a little after another has told of the absence.
QUIET_SECONDS = 15.0


@dataclass(frozen=True)
class Event:
    """One thing that happened; `kind` is one of those in timescale/README.md."""

    event_id: uuid.UUID
    time: datetime
    severity: str
    kind: str
    message: str


def derive_id(*facts: object) -> uuid.UUID:
    """Return the id of an event that can be found anew from the same facts."""
    return uuid.uuid5(NAMESPACE, "\n".join(map(str, facts)))


def record(connection: Connection, event: Event) -> None:
    """Store an event in a transaction of its own; one that is stored already changes nothing."""
    with connection.transaction():
        connection.execute(
            "SELECT fleet.record_event(%s, %s, %s, %s, %s)",
            [event.event_id, event.time, event.severity, event.kind, event.message],
        )


def render_duration(seconds: float) -> str:
    """Return seconds as people say them: 0.4 s, 35 s, 12 min, 3 h 5 min."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def is_away(error: psycopg.Error) -> bool:
    """True for an error that means a lost connection, or that none is to be had."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(AWAY)


def _now() -> datetime:
    return datetime.now(UTC)


class Outage:
    """
    The absence of the database as one program sees it: one event, told once it is over.

    May be shared by threads. What was never there has not been lost: a program that starts before
    the database tells nothing.
    """

    def __init__(self, program: str, consequence: str, now: Callable[[], datetime] = _now) -> None:
        """`program` as a sentence begins with it; `consequence` says what came of the absence."""
        self._program = program
        self._consequence = consequence
        self._now = now
        self._lock = threading.Lock()
        self._has_connected = False
        self._begun: tuple[uuid.UUID, datetime] | None = None
        self._ended = datetime.min.replace(tzinfo=UTC)

    def begin(self, error: psycopg.Error) -> None:
        """Note the time of the first error that means an absence."""
        if not is_away(error):
            return
        with self._lock:
            now = self._now()
            is_new = self._begun is None and (now - self._ended).total_seconds() > QUIET_SECONDS
            if is_new and self._has_connected:
                self._begun = uuid.uuid4(), now

    def end(self, connection: Connection) -> None:
        """
        Tell of the absence, if there was one, and when it is over.

        The connection answers, and no transaction is open in it.
        """
        with self._lock:
            begun, self._begun = self._begun, None
            self._has_connected = True
            if begun is None:
                return
            self._ended = self._now()
        try:
            record(connection, self._describe(*begun, self._ended))
        except psycopg.Error as exc:
            logger.warning("An event could not be told.", extra={"error": str(exc)})
            if is_away(exc):
                with self._lock:
                    self._begun = begun

    def _describe(self, event_id: uuid.UUID, begin: datetime, end: datetime) -> Event:
        lasted = render_duration((end - begin).total_seconds())
        message = (
            f"{self._program} had no database for {lasted}, from {begin:%Y-%m-%d %H:%M:%S} "
            f"to {end:%Y-%m-%d %H:%M:%S} UTC; {self._consequence}."
        )
        return Event(event_id, begin, WARNING, "database_away", message)
