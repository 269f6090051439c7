"""
Read what each drive has read and written, and how long it was busy.

By hand: `cat /proc/diskstats`. Partitions, mappers and arrays are left out: their drives count too.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from fleet_exporters.collectors.members import read_each
from fleet_exporters.errors import NoDevice
from fleet_exporters.sample import Dropped, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DISKSTATS = Path("/proc/diskstats")
BLOCK = Path("/sys/block")
SECTOR_BYTES = 512  # of diskstats, whatever the drive's own sectors are
MILLISECONDS = 1000

# They stand for memory, a file, or other drives in this list.
VIRTUAL_PREFIXES = ("loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd")

# busy_time is what only Linux and FreeBSD count.
COUNTERS = {
    "read_bytes": ("fleet_disk_read_bytes_total", 1),
    "write_bytes": ("fleet_disk_written_bytes_total", 1),
    "read_count": ("fleet_disk_reads_total", 1),
    "write_count": ("fleet_disk_writes_total", 1),
    "busy_time": ("fleet_disk_busy_seconds_total", MILLISECONDS),
}


@dataclass(frozen=True, slots=True)
class Drive:
    """Counts of a drive since boot, under the names that psutil gives them."""

    read_count: int
    read_bytes: int
    write_count: int
    write_bytes: int
    busy_time: int


def parse_line(line: str) -> Drive:
    """Return the counts of a line of /proc/diskstats; ValueError or IndexError if it is none."""
    fields = line.split()
    return Drive(
        read_count=int(fields[3]),
        read_bytes=int(fields[5]) * SECTOR_BYTES,
        write_count=int(fields[7]),
        write_bytes=int(fields[9]) * SECTOR_BYTES,
        busy_time=int(fields[12]),
    )


def read_counters() -> Mapping[str, Any]:
    """Return lines of /proc/diskstats, elsewhere psutil's counts; Prometheus knows resets."""
    if not sys.platform.startswith("linux"):
        return psutil.disk_io_counters(perdisk=True, nowrap=False)
    lines = DISKSTATS.read_text(encoding="utf-8").splitlines()
    return {line.split(None, 3)[2]: line for line in lines if line.strip()}


def find_drives(root: Path = BLOCK) -> set[str] | None:
    """Return the names of whole drives; None where the system lists nothing but drives."""
    if not sys.platform.startswith("linux") and root == BLOCK:
        return None
    return {path.name for path in root.glob("*") if not path.name.startswith(VIRTUAL_PREFIXES)}


def parse(counters: Mapping[str, Any], drives: set[str] | None) -> Iterator[Sample | Dropped]:
    """Yield the counters of each drive, ordered by name; raises NoDevice without one."""
    names = sorted(name for name in counters if drives is None or name in drives)
    if not names:
        raise NoDevice("no physical drive; lsblk lists block devices")
    return read_each(names, lambda name: _describe(name, counters[name]))


def _describe(name: str, said: Any) -> Iterator[Sample]:
    drive = parse_line(said) if isinstance(said, str) else said
    for field, (metric, divisor) in COUNTERS.items():
        value = getattr(drive, field, None)
        if value is not None:
            yield Sample(metric, {"device": name}, value / divisor)


class DiskIo:
    """Asks for the counters at each tick, and for the list of drives when an unknown one shows."""

    def __init__(
        self,
        counters: Callable[[], Mapping[str, Any]] = read_counters,
        drives: Callable[[], set[str] | None] = find_drives,
    ) -> None:
        self._counters = counters
        self._find_drives = drives
        self._drives: set[str] | None = None
        self._known: frozenset[str] | None = None

    def read(self) -> Iterator[Sample | Dropped]:
        """Yield what each drive has done since boot."""
        counters = self._counters()
        names = frozenset(counters)
        if self._known != names:
            self._known, self._drives = names, self._find_drives()
        return parse(counters, self._drives)
