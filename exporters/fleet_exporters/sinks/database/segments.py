"""
Ticks on disk: files of five minutes, appended to at the end and removed as a whole.

Only the thread that talks to the database works here. Every tick is written at once, which a killed
program survives; it is synced to the medium when its file is full, so that a power cut costs at
most SEGMENT_TICKS. After a restart a file is read from its start again: the database knows what it
has already.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_exporters.errors import FrameError
from fleet_exporters.sinks.database.frames import HEADER_BYTES, Header, pack, parse_header, unpack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fleet_exporters.sinks.database.rows import Batch

logger = logging.getLogger(__name__)

SUFFIX = ".ticks"
FULL = (errno.ENOSPC, errno.EDQUOT)
# Why rows never reached the database.
LOST_FULL, LOST_OLD, LOST_DAMAGED, LOST_REFUSED = REASONS = ("full", "old", "damaged", "refused")
_sync = getattr(os, "fdatasync", os.fsync)


@dataclass(frozen=True)
class Limits:
    """How much may lie on disk; a tick of a usual machine takes half a kilobyte to one."""

    bytes_max: int = 64 << 20
    age_max: float = 20 * 3600.0  # seconds; the database still counts in what is younger
    segment_ticks: int = 60  # five minutes at 5 s

    @property
    def segment_bytes(self) -> int:
        """Return the size at which a file is full, so that dropping one is no great loss."""
        return self.bytes_max // 16


@dataclass(eq=False)
class Segment:
    """One file; `frames` are place and header of each tick, of which `done` have left."""

    path: Path
    first: int  # number of the first tick
    born: float  # monotonic seconds, so that a stepping clock makes nothing old
    size: int = 0
    frames: list[tuple[int, Header]] = field(default_factory=list)
    done: int = 0

    @property
    def rows(self) -> int:
        """Return how many rows are still to leave."""
        return sum(header.rows for _, header in self.frames[self.done :])


def read_segment(path: Path, first: int, born: float) -> tuple[Segment, int]:
    """Return a file of an earlier run, and how many rows its torn end has lost."""
    segment = Segment(path, first, born, size=path.stat().st_size)
    with path.open("rb") as file:
        offset = 0
        while offset < segment.size:
            try:
                header = parse_header(file.read(HEADER_BYTES))
            except FrameError as exc:
                logger.warning("spool has a torn end", extra={"path": path, "error": str(exc)})
                return segment, 0
            end = offset + HEADER_BYTES + header.length
            if end > segment.size:
                logger.warning("spool has a torn end", extra={"path": path, "rows": header.rows})
                return segment, header.rows
            segment.frames.append((offset, header))
            offset = file.seek(end)
    return segment, 0


class Segments:
    """All files of one node, oldest first; the last one may be open for writing."""

    def __init__(
        self,
        folder: Path,
        limits: Limits = Limits(),
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._clock = clock
        self._write = write  # the seam through which tests fill the disk
        self._segments: deque[Segment] = deque()
        self._open: tuple[Segment, int] | None = None
        self._sequence = 0
        self.last_number = 0
        self.rows = 0
        self.oldest: float | None = None  # Unix time
        self.dropped: Counter[str] = Counter()
        self._load(now())

    @property
    def size_bytes(self) -> int:
        """Return what all files take."""
        return sum(segment.size for segment in self._segments)

    def _load(self, now: float) -> None:
        """Find what an earlier run has left."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if not path.stem.isdecimal():
                continue
            self._sequence = max(self._sequence, int(path.stem))
            segment, torn_rows = read_segment(path, self.last_number + 1, self._clock())
            self.dropped[LOST_DAMAGED] += torn_rows
            if segment.frames:
                segment.born -= max(0.0, now - segment.frames[0][1].time)
                self.last_number += len(segment.frames)
                self.rows += segment.rows
                self._segments.append(segment)
            else:
                path.unlink()
        self._note_oldest()

    def append(self, number: int, batch: Batch) -> None:
        """
        Write one tick, dropping oldest files where there is no room.

        Raises OSError if it cannot be written although only the newest file is left.
        """
        frame = pack(batch)
        header = parse_header(frame)
        while self.size_bytes + len(frame) > self._limits.bytes_max and self._segments:
            self._drop(LOST_FULL)
        while True:
            try:
                self._append(number, frame, header)
            except OSError as exc:
                older = len(self._segments) - (self._open is not None)
                if exc.errno not in FULL or not older:
                    raise
                self._drop(LOST_FULL)
            else:
                break
        self.last_number = number
        self.rows += header.rows
        self._note_oldest()

    def _append(self, number: int, frame: bytes, header: Header) -> None:
        segment, handle = self._take_open(number)
        try:
            written = 0
            while written < len(frame):
                written += self._write(handle, frame[written:])
        except OSError:
            os.ftruncate(handle, segment.size)
            if not segment.frames:
                self._remove(segment)
            raise
        segment.frames.append((segment.size, header))
        segment.size += len(frame)

    def _take_open(self, number: int) -> tuple[Segment, int]:
        """Return the file to write to; numbers within a file have no gap."""
        if self._open is not None:
            segment = self._open[0]
            is_full = (
                len(segment.frames) >= self._limits.segment_ticks
                or segment.size >= self._limits.segment_bytes
            )
            if not is_full and segment.first + len(segment.frames) == number:
                return self._open
            self.close()
        path = self._folder / f"{self._sequence + 1:012d}{SUFFIX}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._sequence += 1
        self._open = Segment(path, number, self._clock()), handle
        self._segments.append(self._open[0])
        return self._open

    def expire(self) -> None:
        """Drop files whose first tick is too old to be of use."""
        while self._segments and self._clock() - self._segments[0].born > self._limits.age_max:
            self._drop(LOST_OLD)
        self._note_oldest()

    def peek(self, limit: int) -> list[tuple[int, Batch]]:
        """Return number and rows of the oldest ticks, all from one file."""
        while self._segments:
            segment = self._segments[0]
            found = self._read(segment, limit)
            if found:
                return found
            # The oldest tick cannot be read: nothing behind it shall wait for it.
            self.remove(segment.first + segment.done, reason=LOST_DAMAGED)
        return []

    def _read(self, segment: Segment, limit: int) -> list[tuple[int, Batch]]:
        """Return what can be read up to the first damage."""
        found: list[tuple[int, Batch]] = []
        frames = segment.frames[segment.done : segment.done + limit]
        try:
            with segment.path.open("rb") as file:
                for place, (offset, header) in enumerate(frames, segment.first + segment.done):
                    file.seek(offset + HEADER_BYTES)
                    found.append((place, unpack(header, file.read(header.length))))
        except (OSError, FrameError) as exc:
            logger.warning("spool cannot be read", extra={"path": segment.path, "error": str(exc)})
        return found

    def remove(self, number: int, *, reason: str = "") -> None:
        """Forget all ticks up to `number`; with a reason they are lost and counted."""
        while self._segments and self._segments[0].first <= number:
            segment = self._segments[0]
            before = segment.rows
            segment.done = max(segment.done, min(len(segment.frames), number - segment.first + 1))
            self._count(before - segment.rows, reason)
            if segment.done < len(segment.frames):
                break
            self._remove(segment)
        self._note_oldest()

    def _drop(self, reason: str) -> None:
        segment = self._segments[0]
        logger.warning(
            "spool drops its oldest file",
            extra={"path": segment.path, "rows": segment.rows, "reason": reason},
        )
        self._count(segment.rows, reason)
        self._remove(segment)

    def _count(self, rows: int, reason: str) -> None:
        self.rows -= rows
        if reason:
            self.dropped[reason] += rows

    def _remove(self, segment: Segment) -> None:
        if self._open is not None and self._open[0] is segment:
            os.close(self._open[1])
            self._open = None
        self._segments.remove(segment)
        try:
            segment.path.unlink(missing_ok=True)
        except OSError as exc:
            # It will be sent again after a restart, which does no harm.
            logger.warning(
                "spool cannot remove a file", extra={"path": segment.path, "error": str(exc)}
            )

    def _note_oldest(self) -> None:
        head = self._segments[0] if self._segments else None
        self.oldest = head.frames[head.done][1].time if head else None

    def close(self) -> None:
        """Sync and close the file that is written to; the next tick begins a new one."""
        if self._open is None:
            return
        segment, handle = self._open
        self._open = None
        try:
            _sync(handle)
        except OSError as exc:
            logger.warning(
                "spool cannot be synced", extra={"path": segment.path, "error": str(exc)}
            )
        finally:
            os.close(handle)
