"""Rates that one caller may reach, kept in memory: the API is one process."""

from __future__ import annotations

import time
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS_MAX = 10_000  # callers remembered; past it the idle ones are forgotten


class RateLimit:
    """At most `count` requests of one key within `seconds`."""

    def __init__(
        self, count: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._count = count
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._times: dict[str, deque[float]] = {}

    def take(self, key: str) -> float:
        """Return 0 and count the request, or the seconds to wait when there were too many."""
        with self._lock:
            now = self._clock()
            if len(self._times) >= KEYS_MAX:
                self._forget(now)
            times = self._times.setdefault(key, deque())
            while times and times[0] <= now - self._seconds:
                times.popleft()
            if len(times) >= self._count:
                return times[0] + self._seconds - now
            times.append(now)
            return 0.0

    def _forget(self, now: float) -> None:
        self._times = {
            key: times for key, times in self._times.items() if times[-1] > now - self._seconds
        }
