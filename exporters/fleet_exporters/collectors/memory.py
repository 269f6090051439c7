"""
Read memory and swap.

By hand: `free --bytes` (used here is total minus available).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator


MEMINFO = Path("/proc/meminfo")
KIBI = 1024  # the kernel's kB


@dataclass(frozen=True)
class Memory:
    """Bytes of memory and swap."""

    total: int
    available: int
    swap_total: int
    swap_used: int


def parse_meminfo(text: bytes) -> Memory:
    """Return the state that /proc/meminfo tells. Raises KeyError if a line is missing."""
    lines = (line.partition(b":") for line in text.splitlines())
    kilobytes = {name: rest.split()[0] for name, _, rest in lines}
    total, available, swap_total, swap_free = (
        int(kilobytes[name]) * KIBI
        for name in (b"MemTotal", b"MemAvailable", b"SwapTotal", b"SwapFree")
    )
    return Memory(total, available, swap_total, swap_total - swap_free)


def read_memory() -> Memory:
    """Ask the kernel; psutil where it does not say how much is available."""
    try:
        return parse_meminfo(MEMINFO.read_bytes())
    except (FileNotFoundError, KeyError):
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        return Memory(memory.total, memory.available, swap.total, swap.used)


def parse(memory: Memory) -> Iterator[Sample]:
    """Yield used and total memory, and used and total swap if there is any swap."""
    yield Sample("fleet_memory_used_bytes", {}, memory.total - memory.available)
    yield Sample("fleet_memory_total_bytes", {}, memory.total)
    if memory.swap_total:
        yield Sample("fleet_swap_used_bytes", {}, memory.swap_used)
        yield Sample("fleet_swap_total_bytes", {}, memory.swap_total)


def read() -> Iterator[Sample]:
    """Yield the state of memory and swap."""
    return parse(read_memory())
