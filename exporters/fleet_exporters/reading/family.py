"""
Read a sensor family once: at once, or in the background if its device may hang.

Called by the sampler; knows no metric.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.reading.background import BackgroundReader
from fleet_exporters.sample import UNREADABLE, Dropped, Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_exporters.sample import Read

DEADLINE_SECONDS = 2.0  # a family that takes longer is down until it answers
STALE_SECONDS = 30.0  # how long the last values of a hung family are served


@dataclass(frozen=True)
class Reading:
    """The result of reading a family: samples, error if any, duration and end."""

    samples: tuple[Sample, ...]
    problem: Exception | None
    seconds: float
    ended_at: float
    dropped: tuple[Dropped, ...] = ()

    def is_same(self, other: Reading) -> bool:
        """True if this is the other reading, served again."""
        return self.samples is other.samples and self.dropped is other.dropped


def take(read: Read, clock: Callable[[], float]) -> Reading:
    """Read a family once; samples before an error are kept. It fails if no member answered."""
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
    silent = [str(each) for each in dropped if each.reason == UNREADABLE]
    if silent and not found and problem is None:
        problem = SensorError("; ".join(silent))
    ended = clock()
    return Reading(tuple(found), problem, ended - started, ended, tuple(dropped))


class Slow:
    """A family read in the background. While it hangs it is down, and its last values age."""

    def __init__(self, read: Read, period_seconds: float, clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._last: Reading | None = None
        self._answered = threading.Event()
        self._reader = BackgroundReader(self._take, period_seconds, DEADLINE_SECONDS, clock)

    def _take(self) -> Reading:
        reading = self._last = take(self._read, self._clock)
        self._answered.set()
        if isinstance(reading.problem, NoDevice) and not reading.samples:
            raise reading.problem  # the thread asks less often for what is not there
        return reading

    def start(self, name: str, stop: threading.Event) -> None:
        """Start reading, until `stop`."""
        self._reader.start(name, stop)

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the first result, up to the time-out; True if there is one."""
        return self._answered.wait(timeout_seconds)

    def latest(self) -> Reading | None:
        """Return the last reading, marked if the present one is overdue; None before the first."""
        outcome, last = self._reader.latest(), self._last
        if outcome.error is None:
            return outcome.value
        if last is not None and outcome.error is last.problem:
            return last
        now = self._clock()
        is_fresh = last is not None and now - last.ended_at <= STALE_SECONDS
        if last is None or not is_fresh:
            return Reading((), outcome.error, outcome.seconds, now)
        return replace(last, problem=outcome.error, seconds=outcome.seconds, ended_at=now)
