"""
Collect the readings of every sensor family once a tick; drop impossible values.

Families that may hang are read in the background (see family.py), the others at once. A family
that fails does not affect the others: what it yielded before is kept, and its fleet_collector_up is
0. A family without a device has no fleet_collector_up at all.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from fleet_exporters.catalogue import NODE_METRICS
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.reading.family import Slow, take
from fleet_exporters.sample import DROP_REASONS, IMPOSSIBLE, Sample

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from fleet_exporters.reading.family import Reading
    from fleet_exporters.sample import Read

logger = logging.getLogger(__name__)

LABEL_LENGTH_MAX = 200  # characters; mount points and device names of hostile length end here


class Sampler:
    """Holds the sensor families and the state of each at the last tick."""

    def __init__(
        self,
        families: Mapping[str, Read],
        clock: Callable[[], float] = time.perf_counter,
        slow: Mapping[str, float] | None = None,
    ) -> None:
        """Read the families of `slow` in the background, each at its period in seconds."""
        periods = slow or {}
        self._slow = {
            family: Slow(read, periods[family], clock)
            for family, read in families.items()
            if family in periods
        }
        self._sources: dict[str, Callable[[], Reading | None]] = {
            family: self._slow[family].latest
            if family in self._slow
            else partial(take, read, clock)
            for family, read in families.items()
        }
        self._clock = clock
        self._state: dict[str, bool | None] = {}
        self._dropped: Counter[tuple[str, str]] = Counter()
        self._counted: dict[str, Reading] = {}

    def start(self, stop: threading.Event, patience_seconds: float) -> None:
        """Start the background readers; wait for their first results, up to a limit."""
        for family, slow in self._slow.items():
            slow.start(family, stop)
        until = self._clock() + patience_seconds
        for slow in self._slow.values():
            slow.wait(max(0.0, until - self._clock()))

    def sample(self) -> list[Sample]:
        """Return the readings of all families, followed by the metrics about the families."""
        readings: list[Sample] = []
        about: list[Sample] = []
        seen: set[tuple[str, ...]] = set()
        for family, source in self._sources.items():
            reading = source()
            if reading is None:
                continue  # its first answer is still to come
            is_up = self._decide_state(family, reading.problem)
            kept = [
                cleaned for cleaned in map(clean, reading.samples) if is_possible(cleaned, seen)
            ]
            self._count_dropped(family, reading, len(kept))
            readings += kept
            about += self._describe(family, is_up, reading.seconds)
        return readings + about

    def _count_dropped(self, family: str, reading: Reading, kept: int) -> None:
        """Count a reading once, even if it is served for several ticks."""
        before = self._counted.get(family)
        if before is None or not reading.is_same(before):
            self._dropped[family, IMPOSSIBLE] += len(reading.samples) - kept
            self._dropped.update((family, each.reason) for each in reading.dropped)
        self._counted[family] = reading

    def _decide_state(self, family: str, problem: Exception | None) -> bool | None:
        """Return True (read), False (broken) or None (no device)."""
        is_up: bool | None = problem is None
        if isinstance(problem, NoDevice) and self._state.get(family) is None:
            is_up = None
        # A device that was there before has been lost; it is not absent.
        self._note(family, is_up, problem)
        return is_up

    def _note(self, family: str, is_up: bool | None, problem: Exception | None) -> None:
        """Log a change of state once, not at each tick."""
        is_new = family not in self._state
        if is_new or self._state[family] != is_up:
            extra = {"collector": family, "error": str(problem)}
            if is_up is None:
                logger.info("no such device on this machine", extra=extra)
            elif not is_up:
                is_known = isinstance(problem, (SensorError, NoDevice))
                logger.warning(
                    "sensor family is broken", extra=extra, exc_info=None if is_known else problem
                )
            elif not is_new:
                logger.info("sensor family can be read again", extra={"collector": family})
        self._state[family] = is_up

    def _describe(self, family: str, is_up: bool | None, seconds: float) -> list[Sample]:
        if is_up is None:
            return []
        labels = {"collector": family}
        return [
            Sample("fleet_collector_up", labels, float(is_up)),
            Sample("fleet_collector_duration_seconds", labels, seconds),
            *(
                Sample(
                    "fleet_samples_dropped_total",
                    {**labels, "reason": reason},
                    self._dropped[family, reason],
                )
                for reason in DROP_REASONS
            ),
        ]


def clean(sample: Sample) -> Sample:
    """Return the sample with label values that every sink accepts: short UTF-8 without NUL."""
    labels = {key: clean_value(value) for key, value in sample.labels.items()}
    return sample if labels == sample.labels else Sample(sample.name, labels, sample.value)


@lru_cache(maxsize=1024)  # the same at each tick
def clean_value(value: str) -> str:
    """Return a label value as short UTF-8 without NUL."""
    return value.encode("utf-8", "replace").decode().replace("\0", "")[:LABEL_LENGTH_MAX]


def is_possible(sample: Sample, seen: set[tuple[str, ...]]) -> bool:
    """True for a finite value within the metric's bounds whose series is not in `seen` yet."""
    low, high = NODE_METRICS[sample.name].bounds
    series = (sample.name, *sample.labels.values())
    if not math.isfinite(sample.value) or not low <= sample.value <= high or series in seen:
        return False
    seen.add(series)
    return True
