"""
Bounds what attempts that changed nothing may add to the audit log.

The first of somebody in a minute are rows of their own, all that follow are one row with their
number. Sums are kept in memory until their minute has ended; `flush.py` writes them then.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from fleet_control_api.identity import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_control_api.audit import Entry

SOURCES_MAX = 50  # addresses of nobody told apart in one minute; the others are counted together
OWN_ROWS = 60  # a minute for each outcome of somebody logged in; nobody's hand is faster
OWN_ROWS_OF_NOBODY = 1
SEVERAL = "several"  # the action of a sum over more than one

Key = tuple[str, str, str, str | None]


@dataclass
class _Count:
    seen: int = 0
    summed: int = 0
    sum: Entry | None = None  # the last that is summed


class Tally:
    """Decides which attempts are rows of their own; one for all callers."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = Lock()
        self._minute = 0
        self._counts: dict[Key, _Count] = {}

    def note(self, entry: Entry, own_rows: int) -> list[Entry]:
        """
        Return the rows to write now.

        The attempt, when it is among the first `own_rows` of its caller and outcome, and the sums
        of the minute before. With 0 it is summed in any case.
        """
        with self._lock:
            rows = self._turn_minute()
            if entry.identity == NOBODY:
                entry = self._bound_sources(entry)
            count = self._counts.setdefault(_key(entry), _Count())
            count.seen += 1
            if count.seen <= own_rows:
                rows.append(entry)
            else:
                _add(count, entry)
            return rows

    def take_ended(self) -> list[Entry]:
        """Return the sums of a minute that has ended; each is returned once."""
        with self._lock:
            return self._turn_minute()

    def take_all(self) -> list[Entry]:
        """Return all sums, also those of the running minute: for the end of the program."""
        with self._lock:
            return self._take()

    def _bound_sources(self, entry: Entry) -> Entry:
        if _key(entry) in self._counts:
            return entry
        sources = sum(way == NOBODY.way for way, *_ in self._counts)
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
                count.sum,
                target="",
                reason=f"{count.summed} more in the minute {started}, the last: {count.sum.reason}",
            )
            for count in before.values()
            if count.sum
        ]


def _key(entry: Entry) -> Key:
    """People are told apart by name and way in, wherever they come from; nobody by address."""
    who = entry.identity
    return who.way, who.actor, entry.outcome, entry.source if who == NOBODY else None


def _add(count: _Count, entry: Entry) -> None:
    is_other = count.sum is not None and count.sum.action != entry.action
    count.sum = replace(entry, action=SEVERAL) if is_other else entry
    count.summed += 1
