"""
Rate limit of the audit log for attempts that changed nothing.

The first attempts of a caller in a minute are rows of their own; the rest become one summary row
with their number. Summaries are kept in memory until the minute has ended; `summaries.py`
writes them then.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from fleet_control_api.callers.identity import ANONYMOUS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_control_api.audit.log import Entry

SOURCES_MAX = 50  # addresses of anonymous callers told apart in a minute; the rest share a row
OWN_ROWS = 60  # a minute for each outcome of a caller who is logged in; no hand is faster
OWN_ROWS_ANONYMOUS = 1
SEVERAL = "several"  # the action of a summary of more than one action

Key = tuple[str, str, str, str | None]


@dataclass
class _Count:
    seen: int = 0
    summarised: int = 0
    last: Entry | None = None  # the latest of those


class AuditRateLimit:
    """Decides which attempts are rows of their own; one instance for all callers."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = Lock()
        self._minute = 0
        self._counts: dict[Key, _Count] = {}

    def take(self, entry: Entry, own_rows: int) -> list[Entry]:
        """
        Count an attempt and return the rows to write now.

        These are the attempt itself, if it is among the first `own_rows` of its caller and outcome,
        and the summaries of the minute before.
        """
        with self._lock:
            rows = self._turn_minute()
            if entry.identity == ANONYMOUS:
                entry = self._bound_sources(entry)
            count = self._counts.setdefault(_key(entry), _Count())
            count.seen += 1
            if count.seen <= own_rows:
                rows.append(entry)
            else:
                _add(count, entry)
            return rows

    def take_ended(self) -> list[Entry]:
        """Return the summaries of a minute that has ended; each is returned once."""
        with self._lock:
            return self._turn_minute()

    def take_all(self) -> list[Entry]:
        """Return all summaries, those of the running minute included: for the program's end."""
        with self._lock:
            return self._take()

    def _bound_sources(self, entry: Entry) -> Entry:
        if _key(entry) in self._counts:
            return entry
        sources = sum(way == ANONYMOUS.way for way, *_ in self._counts)
        return entry if sources < SOURCES_MAX else replace(entry, source=None)

    def _turn_minute(self) -> list[Entry]:
        minute = int(self._clock() // 60)
        if minute == self._minute:
            return []
        rows = self._take()
        self._minute = minute
        return rows

    def _take(self) -> list[Entry]:
        before, self._counts = self._counts, {}
        started = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self._minute * 60))
        return [
            replace(
                count.last,
                target="",
                reason=f"{count.summarised} more in the minute {started}, "
                f"the last: {count.last.reason}",
            )
            for count in before.values()
            if count.last
        ]


def _key(entry: Entry) -> Key:
    """Known callers are told apart by name and way in, anonymous ones by address."""
    who = entry.identity
    return who.way, who.actor, entry.outcome, entry.source if who == ANONYMOUS else None


def _add(count: _Count, entry: Entry) -> None:
    is_other = count.last is not None and count.last.action != entry.action
    count.last = replace(entry, action=SEVERAL) if is_other else entry
    count.summarised += 1
