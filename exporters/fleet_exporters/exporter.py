"""
The tick: read everything, decide the verdict, publish to every sink. Runs in the main thread.

A sink that fails is logged and skipped; the others are not affected.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleet_exporters.decision.verdict import Decider, describe
from fleet_exporters.sample import Sample, Tick

if TYPE_CHECKING:
    import threading

    from fleet_exporters.reading.sampler import Sampler

logger = logging.getLogger(__name__)

AFTER_READERS = 0.1  # seconds; background readers wake on the same grid, so much earlier
LOOK_SECONDS = 0.5  # between two looks for a game that has begun: it does not wait for a tick
STATE = "state"  # the sink that the worker reads

Sink = Callable[[Tick], None]


def next_due(due: float, period: float, now: float) -> tuple[float, int]:
    """Return the first time after `now` on the grid of `due` and `period`, and ticks missed."""
    missed = max(0, math.ceil((now - due) / period) - 1)
    return due + (missed + 1) * period, missed


class Exporter:
    """Runs the ticks and keeps the state between them."""

    def __init__(  # noqa: PLR0913 - what it reads, whom it tells, and its clocks
        self,
        sampler: Sampler,
        sinks: Mapping[str, Sink],
        read_status: Callable[[], list[Sample]],
        clock: Callable[[], float] = time.monotonic,
        decider: Decider | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sampler = sampler
        self._sinks = sinks
        self._read_status = read_status
        self._clock = clock
        self._now = now
        self._decider = decider or Decider(clock=clock)
        self._missed = 0
        self._failing: set[str] = set()
        self._readings: tuple[Sample, ...] = ()

    def tick(self, late_seconds: float, at: datetime) -> Tick:
        """Read and publish once; return what was published."""
        self._readings = readings = tuple(self._sampler.sample())
        verdict = self._decider.decide(readings)
        own = [
            Sample("fleet_tick_late_seconds", {}, late_seconds),
            Sample("fleet_ticks_missed_total", {}, self._missed),
        ]
        samples = (*readings, *describe(verdict), *own, *self._read_status())
        tick = Tick(at, samples, verdict)
        for name, sink in self._sinks.items():
            self._publish(name, sink, tick)
        return tick

    def look(self, at: datetime) -> None:
        """Tell the worker at once that a game has begun, with the readings of the last tick."""
        if STATE in self._sinks and self._decider.sees_new_game():
            verdict = self._decider.decide(self._readings)
            self._publish(STATE, self._sinks[STATE], Tick(at, self._readings, verdict))

    def _publish(self, name: str, sink: Sink, tick: Tick) -> None:
        try:
            sink(tick)
        except Exception:
            if name not in self._failing:
                logger.exception("sink cannot take readings", extra={"sink": name})
            self._failing.add(name)
        else:
            if name in self._failing:
                logger.info("sink takes readings again", extra={"sink": name})
            self._failing.discard(name)

    def run(
        self, period: float, refresh_counters: Callable[[], object], stop: threading.Event
    ) -> None:
        """Tick at once, then on a fixed grid until `stop`; the worker's counters come first."""
        late, due = 0.0, self._clock() // period * period + AFTER_READERS
        while not stop.is_set():
            refresh_counters()
            self.tick(late, self._now())
            due, missed = next_due(due, period, self._clock())
            self._missed += missed
            self._wait(stop, due)
            late = max(0.0, self._clock() - due)

    def _wait(self, stop: threading.Event, due: float) -> None:
        while not stop.is_set() and (left := due - self._clock()) > 0:
            stop.wait(min(left, LOOK_SECONDS))
            self.look(self._now())
