"""
Read memory and swap.

By hand: `free --bytes` (used here is total minus available).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Memory:
    """Bytes of memory and swap."""

    total: int
    available: int
    swap_total: int
    swap_used: int


def read_memory() -> Memory:
    """Ask the kernel."""
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
