"""
Reads every sensor family once a tick, times it, and drops what cannot be true.

One broken family never stops the others: what it gave before it failed is kept, and its
fleet_collector_up is 0. A family without a device has no fleet_collector_up at all.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

from fleet_exporters.catalogue import NODE_METRICS
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.sample import Read, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

LABEL_LENGTH_MAX = 200  # characters; mount points and device names of hostile length end here


class Sampler:
    """Knows the families and what became of each at the last tick."""

    def __init__(
        self, families: Mapping[str, Read], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._families = families
        self._clock = clock
        self._state: dict[str, bool | None] = {}
        self._dropped = dict.fromkeys(families, 0)

    def sample(self) -> list[Sample]:
        """Return the readings of all families, then what there is to say about the families."""
        readings: list[Sample] = []
        about: list[Sample] = []
        seen: set[tuple[str, ...]] = set()
        for family, read in self._families.items():
            started = self._clock()
            found, is_up = self._read(family, read)
            seconds = self._clock() - started
            kept = [cleaned for cleaned in map(clean, found) if is_possible(cleaned, seen)]
            self._dropped[family] += len(found) - len(kept)
            readings += kept
            about += self._describe(family, is_up, seconds)
        return readings + about

    def _read(self, family: str, read: Read) -> tuple[list[Sample], bool | None]:
        """Return what could be read, and True (read), False (broke) or None (no device)."""
        found: list[Sample] = []
        is_up: bool | None = True
        problem: Exception | None = None
        try:
            # One by one: what a family gave before it failed is kept.
            for sample in read():
                found.append(sample)  # noqa: PERF402
        except NoDevice as exc:
            # A device that was there a moment ago has not become "none": it was lost.
            is_up = None if self._state.get(family) is None else False
            problem = exc
        except Exception as exc:  # noqa: BLE001 - drivers raise what they like; this is the edge
            is_up, problem = False, exc
        self._note(family, is_up, problem)
        return found, is_up

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
            Sample("fleet_samples_dropped_total", labels, self._dropped[family]),
        ]


def clean(sample: Sample) -> Sample:
    """Return the sample with label values that every sink can store: short UTF-8 without NUL."""
    labels = {
        key: value.encode("utf-8", "replace").decode().replace("\0", "")[:LABEL_LENGTH_MAX]
        for key, value in sample.labels.items()
    }
    return sample if labels == sample.labels else Sample(sample.name, labels, sample.value)


def is_possible(sample: Sample, seen: set[tuple[str, ...]]) -> bool:
    """True for a finite value within the metric's bounds whose series is not in `seen` yet."""
    low, high = NODE_METRICS[sample.name].bounds
    series = (sample.name, *sample.labels.values())
    if not math.isfinite(sample.value) or not low <= sample.value <= high or series in seen:
        return False
    seen.add(series)
    return True
