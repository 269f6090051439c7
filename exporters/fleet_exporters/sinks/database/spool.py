"""
Rows that wait for the database: bounded, oldest dropped first and counted.

The tick puts them into memory and never touches the disk. The thread that talks to the database
moves them to disk when it has been away for more than KEEP_TICKS, so that a machine whose database
answers writes nothing to its SD card. Where the disk cannot be written, memory holds an hour.
Rows leave only after their transaction was committed.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleet_exporters.sinks.database.segments import LOST_FULL, LOST_REFUSED, REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_exporters.sinks.database.rows import Batch
    from fleet_exporters.sinks.database.segments import Segments

logger = logging.getLogger(__name__)

TICKS_MAX = 720  # an hour at 5 s; about 4 MB
KEEP_TICKS = 3  # what a killed program may lose at the start of an outage


class Spool:
    """A queue between the tick, which must not wait, and the database, which may be away."""

    def __init__(self, disk: Segments | None = None, ticks_max: int = TICKS_MAX) -> None:
        self._disk = disk
        self._ticks_max = ticks_max
        self._waiting: deque[tuple[int, Batch]] = deque()  # all newer than what is on disk
        self._number = disk.last_number if disk else 0
        self._rows = 0
        self._dropped: Counter[str] = Counter()
        self._lock = threading.Lock()  # memory: held for microseconds
        self._disk_lock = threading.Lock()  # never taken by the tick
        self._is_disk_usable = True

    def put(self, batch: Batch) -> int:
        """Add a batch; return how many rows had to be dropped for it."""
        with self._lock:
            self._number += 1
            self._waiting.append((self._number, batch))
            self._rows += batch.size
            dropped = 0
            while len(self._waiting) > self._ticks_max:
                dropped += self._pop().size
            self._dropped[LOST_FULL] += dropped
        return dropped

    def settle(self, *, is_end: bool = False) -> None:
        """Bring waiting rows to disk if the database has been away for long, or at the end."""
        if self._disk is None:
            return
        with self._disk_lock:
            self._disk.expire()
            if is_end or self._disk.rows or len(self._waiting) > KEEP_TICKS:
                self._move(self._disk)
            if is_end:
                self._disk.close()

    def _move(self, disk: Segments) -> None:
        try:
            while head := self._head():
                disk.append(*head)
                self._forget(head[0])
        except OSError as exc:
            if self._is_disk_usable:
                logger.warning(
                    "spool cannot be written; rows wait in memory", extra={"error": str(exc)}
                )
            self._is_disk_usable = False
        else:
            if not self._is_disk_usable:
                logger.info("spool can be written again")
            self._is_disk_usable = True

    def _head(self) -> tuple[int, Batch] | None:
        with self._lock:
            return self._waiting[0] if self._waiting else None

    def peek(self, limit: int) -> tuple[int, list[Batch]]:
        """Return the oldest batches, and the number to hand to `remove` once they are stored."""
        head: list[tuple[int, Batch]] = []
        if self._disk is not None:
            with self._disk_lock:
                head = self._disk.peek(limit)
        if not head:
            with self._lock:
                head = [self._waiting[i] for i in range(min(limit, len(self._waiting)))]
        return (head[-1][0] if head else 0), [batch for _, batch in head]

    def remove(self, number: int, *, is_lost: bool = False) -> None:
        """Forget all batches up to `number`; lost ones are counted as refused."""
        reason = LOST_REFUSED if is_lost else ""
        if self._disk is not None:
            with self._disk_lock:
                self._disk.remove(number, reason=reason)
        self._forget(number, reason)

    def _forget(self, number: int, reason: str = "") -> None:
        with self._lock:
            while self._waiting and self._waiting[0][0] <= number:
                size = self._pop().size
                if reason:
                    self._dropped[reason] += size

    def _pop(self) -> Batch:
        batch = self._waiting.popleft()[1]
        self._rows -= batch.size
        return batch

    @property
    def rows(self) -> int:
        """How many rows wait."""
        return self._rows + (self._disk.rows if self._disk else 0)

    @property
    def dropped_rows(self) -> Mapping[str, int]:
        """How many rows were lost since the start, by reason."""
        on_disk: Mapping[str, int] = self._disk.dropped if self._disk else {}
        return {reason: self._dropped[reason] + on_disk.get(reason, 0) for reason in REASONS}

    @property
    def oldest(self) -> datetime | None:
        """When the oldest waiting reading was taken."""
        oldest = self._disk.oldest if self._disk else None
        if oldest is not None:
            return datetime.fromtimestamp(oldest, UTC)
        with self._lock:
            return self._waiting[0][1].time if self._waiting else None
