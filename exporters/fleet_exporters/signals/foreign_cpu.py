"""
Find how much of the CPU is used by what is not ours.

Ours are the processes that settings.json names, this one, and all their descendants.
By hand: `top`, less what `ps --ppid` shows below the fleet's programs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fleet_exporters.signals.processes import Process

SHARE_SECONDS = 9.5  # a share over less jumps with every short job

_GUEST = ("guest", "guest_nice")  # already inside user and nice
_NOT_BUSY = ("idle", "iowait", "steal")  # steal is taken by other machines, not by programs here


def read_times() -> Mapping[str, float]:
    """Return seconds by mode since boot, all CPUs together."""
    return psutil.cpu_times()._asdict()


def parse_times(times: Mapping[str, float]) -> tuple[float, float]:
    """Return busy and all seconds."""
    total = sum(value for mode, value in times.items() if mode not in _GUEST)
    return total - sum(times.get(mode, 0.0) for mode in _NOT_BUSY), total


class ForeignCpu:
    """Remembers the last times: a share needs two readings, some seconds apart."""

    def __init__(
        self,
        times: Callable[[], Mapping[str, float]] = read_times,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._times = times
        self._clock = clock
        self._read_at = float("-inf")
        self._share: float | None = None
        self._before: tuple[float, float, float] | None = None

    def read(self, processes: Iterable[Process], ours: set[int]) -> float | None:
        """Return the foreign share of the last `SHARE_SECONDS` or more; None at first."""
        now = self._clock()
        if now - self._read_at >= SHARE_SECONDS:
            self._read_at = now
            self._share = self._measure(processes, ours)
        return self._share

    def _measure(self, processes: Iterable[Process], ours: set[int]) -> float | None:
        mine = sum(process.cpu_seconds for process in processes if process.pid in ours)
        now = (*parse_times(self._times()), mine)
        before, self._before = self._before, now
        if before is None or now[1] <= before[1]:
            return None
        busy, total, own = (after - old for after, old in zip(now, before, strict=True))
        # A child that ended unseen, or a clock step, may make ours fall or the difference negative.
        return min(1.0, max(0.0, busy - max(0.0, own)) / total)
