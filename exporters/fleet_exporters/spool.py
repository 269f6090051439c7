"""
Rows that wait for the database: bounded, in memory, oldest dropped first and counted.

Rows leave only after their transaction was committed.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

TICKS_MAX = 720  # an hour at 5 s; about 4 MB

Row = tuple[object, ...]


@dataclass(frozen=True)
class Batch:
    """The rows of one tick by table, and when the readings were taken."""

    time: datetime
    rows: Mapping[str, Sequence[Row]]

    @property
    def size(self) -> int:
        """How many rows these are."""
        return sum(map(len, self.rows.values()))


class Spool:
    """A queue between the tick, which must not wait, and the database, which may be away."""

    def __init__(self, ticks_max: int = TICKS_MAX) -> None:
        self._ticks_max = ticks_max
        self._waiting: deque[tuple[int, Batch]] = deque()
        self._number = 0
        self._rows = 0
        self._dropped_rows = 0
        self._lock = threading.Lock()

    def put(self, batch: Batch) -> int:
        """Add a batch; return how many rows had to be dropped for it."""
        with self._lock:
            self._number += 1
            self._waiting.append((self._number, batch))
            self._rows += batch.size
            dropped = 0
            while len(self._waiting) > self._ticks_max:
                dropped += self._pop().size
            self._dropped_rows += dropped
        return dropped

    def peek(self, limit: int) -> tuple[int, list[Batch]]:
        """Return the oldest batches, and the number to hand to `remove` once they are stored."""
        with self._lock:
            head = [self._waiting[i] for i in range(min(limit, len(self._waiting)))]
        return (head[-1][0] if head else 0), [batch for _, batch in head]

    def remove(self, number: int, *, is_lost: bool = False) -> None:
        """Forget all batches up to `number`; lost ones are counted as dropped."""
        with self._lock:
            while self._waiting and self._waiting[0][0] <= number:
                size = self._pop().size
                self._dropped_rows += size if is_lost else 0

    def _pop(self) -> Batch:
        batch = self._waiting.popleft()[1]
        self._rows -= batch.size
        return batch

    @property
    def rows(self) -> int:
        """How many rows wait."""
        return self._rows

    @property
    def dropped_rows(self) -> int:
        """How many rows were lost since the start."""
        return self._dropped_rows

    @property
    def oldest(self) -> datetime | None:
        """When the oldest waiting reading was taken."""
        with self._lock:
            return self._waiting[0][1].time if self._waiting else None
