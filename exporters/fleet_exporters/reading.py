"""
One look at a sensor family: here and now, or aside when its device may hang.

Used by the sampler; knows no metric.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fleet_exporters.aside import Aside
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.sample import UNREADABLE, Dropped, Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_exporters.sample import Read

DEADLINE_SECONDS = 2.0  # a family that takes longer is told as broken until it answers
STALE_SECONDS = 30.0  # so long the last values of a hung family are served


@dataclass(frozen=True)
class Reading:
    """What a family gave, why it stopped if it did, how long it took and when it ended."""

    samples: tuple[Sample, ...]
    problem: Exception | None
    seconds: float
    ended_at: float
    dropped: tuple[Dropped, ...] = ()

    def is_same(self, other: Reading) -> bool:
        """Tell whether this is the other one, served again."""
        return self.samples is other.samples and self.dropped is other.dropped


def take(read: Read, clock: Callable[[], float]) -> Reading:
    """Read once. What a family gave before it failed is kept; it fails if no member answered."""
    started = clock()
    found: list[Sample] = []
    dropped: list[Dropped] = []
    problem: Exception | None = None
    try:
        for item in read():
            if isinstance(item, Dropped):
                dropped.append(item)
            else:
                found.append(item)
    except Exception as exc:  # noqa: BLE001 - drivers raise what they like; this is the edge
        problem = exc
    silent = [f"{each.what}: {each.why}" for each in dropped if each.reason == UNREADABLE]
    if silent and not found and problem is None:
        problem = SensorError("; ".join(silent))
    ended = clock()
    return Reading(tuple(found), problem, ended - started, ended, tuple(dropped))


class Slow:
    """A family in a thread of its own. While it hangs, it is broken and its last values age."""

    def __init__(self, read: Read, period_seconds: float, clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._last: Reading | None = None
        self._answered = threading.Event()
        self._aside = Aside(self._take, period_seconds, DEADLINE_SECONDS, clock)

    def _take(self) -> Reading:
        reading = self._last = take(self._read, self._clock)
        self._answered.set()
        if isinstance(reading.problem, NoDevice) and not reading.samples:
            raise reading.problem  # the thread asks less often for what is not there
        return reading

    def start(self, name: str, stop: threading.Event) -> None:
        """Begin reading, until `stop`."""
        self._aside.start(name, stop)

    def wait(self, timeout_seconds: float) -> bool:
        """True once the first answer is there; waits for it at most so long."""
        return self._answered.wait(timeout_seconds)

    def latest(self) -> Reading | None:
        """Return the last reading, or that it is overdue; None before the first. Never waits."""
        outcome, last = self._aside.latest(), self._last
        if outcome.error is None:
            return outcome.value
        if last is not None and outcome.error is last.problem:
            return last
        now = self._clock()
        is_fresh = last is not None and now - last.ended_at <= STALE_SECONDS
        if last is None or not is_fresh:
            return Reading((), outcome.error, outcome.seconds, now)
        return replace(last, problem=outcome.error, seconds=outcome.seconds, ended_at=now)
