"""
The audit log: one row for every attempt to change something.

`write` joins the transaction of the change; refusals and failures have one of their own. Attempts
of people who are not logged in are counted per source and minute, so that nobody can fill the table
from outside.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

import psycopg

from fleet_control_api.identity import NOBODY, Identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_timescale.connection import Connection

    from fleet_control_api.database import Database

log = logging.getLogger(__name__)

SOURCES_MAX = 50  # addresses told apart in one minute; the others are counted together
LENGTH_MAX = 500  # characters of a target or a reason


@dataclass(frozen=True)
class Entry:
    """One attempt; `source` is the address it came from."""

    identity: Identity
    action: str
    target: str
    outcome: str  # done, refused, failed
    reason: str
    source: str | None


def write(connection: Connection, entry: Entry) -> None:
    """Append the attempt within the caller's transaction."""
    connection.execute(
        "SELECT control.write_audit(%s, %s, %s, %s, %s, %s, %s, %s::inet)",
        [
            entry.identity.actor,
            entry.identity.role_word,
            entry.identity.way,
            entry.action,
            _clean(entry.target),
            entry.outcome,
            _clean(entry.reason),
            entry.source,
        ],
    )


def write_alone(database: Database, entry: Entry) -> None:
    """
    Append the attempt in a transaction of its own.

    A database that is down leaves it in the program's log.
    """
    try:
        with database.transaction() as connection:
            write(connection, entry)
    except psycopg.Error as exc:
        log.error(  # noqa: TRY400 - the reason is known; a traceback would hide the attempt
            "audit row could not be written",
            extra={
                "actor": entry.identity.actor,
                "action": entry.action,
                "target": _clean(entry.target),
                "outcome": entry.outcome,
                "error": str(exc),
            },
        )


def _clean(text: str) -> str:
    """Return the text without what PostgreSQL or a terminal would stumble over."""
    return "".join(c if c.isprintable() else " " for c in text)[:LENGTH_MAX]


class Tally:
    """
    Counts attempts of nobody.

    One row for the first of a source in a minute, one for how many followed.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = Lock()
        self._minute = 0
        self._counts: dict[str | None, int] = {}

    def note(self, action: str, target: str, reason: str, source: str | None) -> list[Entry]:
        """
        Return the rows to write now.

        The first attempt of this source, and sums of the minute before.
        """
        with self._lock:
            rows = self._turn_minute(int(self._clock() // 60))
            if source not in self._counts and len(self._counts) >= SOURCES_MAX:
                source = None
            self._counts[source] = self._counts.get(source, 0) + 1
            if self._counts[source] == 1:
                rows.append(Entry(NOBODY, action, target, "refused", reason, source))
            return rows

    def _turn_minute(self, minute: int) -> list[Entry]:
        if minute == self._minute:
            return []
        before, self._counts = self._counts, {}
        started = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self._minute * 60))
        self._minute = minute
        empty = Entry(NOBODY, "unauthenticated", "", "refused", "", None)
        return [
            replace(empty, source=source, reason=f"{count - 1} more in the minute {started}")
            for source, count in before.items()
            if count > 1
        ]
