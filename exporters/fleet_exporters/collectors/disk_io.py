"""
Read what each drive has read and written, and how long it was busy.

By hand: `cat /proc/diskstats`. Partitions, mappers and arrays are left out: their drives count too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from fleet_exporters.errors import NoDevice
from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BLOCK = Path("/sys/block")
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


def read_counters() -> Mapping[str, Any]:
    """Ask the kernel; no correction of wrapped counters, since Prometheus knows resets."""
    return psutil.disk_io_counters(perdisk=True, nowrap=False)


def find_drives(root: Path = BLOCK) -> set[str] | None:
    """Return the names of whole drives; None where the system lists nothing but drives."""
    if not sys.platform.startswith("linux") and root == BLOCK:
        return None
    return {path.name for path in root.glob("*") if not path.name.startswith(VIRTUAL_PREFIXES)}


def parse(counters: Mapping[str, Any], drives: set[str] | None) -> Iterator[Sample]:
    """Yield the counters of each drive, ordered by name; raises NoDevice without one."""
    names = sorted(name for name in counters if drives is None or name in drives)
    if not names:
        raise NoDevice("no drive of its own; lsblk shows what there is")
    for name in names:
        for field, (metric, divisor) in COUNTERS.items():
            value = getattr(counters[name], field, None)
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

    def read(self) -> Iterator[Sample]:
        """Yield what each drive has done since boot."""
        counters = self._counters()
        names = frozenset(counters)
        if self._known != names:
            self._known, self._drives = names, self._find_drives()
        return parse(counters, self._drives)
