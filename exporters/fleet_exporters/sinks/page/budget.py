"""
Keep a node's page small, whatever its devices, models and programs are called.

What is too much is cut from the largest metrics and counted; the page itself is never lost.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fleet_exporters.catalogue import SPEC_BY_SERIES
from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SERIES_MAX = 400  # a node
WORKER_RESERVE = 80  # series that sensors leave to the worker: one model, all scenarios
OTHER = "other"
# Names that come from outside: so many different ones a label, then OTHER.
VALUES_MAX = {"model": 3, "scenario": 14}


def decide_cap(sizes: Iterable[int], limit: int) -> int:
    """Return the highest number of series a metric that keeps all metrics within the limit."""
    rest, cap = limit, limit
    waiting = sorted(sizes)
    for position, size in enumerate(waiting):
        cap = rest // (len(waiting) - position)
        if size > cap:
            return cap
        rest -= size
    return cap if not waiting else max(cap, waiting[-1])


def cut(samples: Sequence[Sample], limit: int) -> tuple[list[Sample], int]:
    """Return the samples that fit, in their order, and how many do not."""
    if len(samples) <= limit:
        return list(samples), 0
    cap = decide_cap(Counter(sample.name for sample in samples).values(), limit)
    seen: Counter[str] = Counter()
    kept = []
    for sample in samples:
        seen[sample.name] += 1
        if seen[sample.name] <= cap:
            kept.append(sample)
    return kept, len(samples) - len(kept)


class Values:
    """Gives each label its first names and sums up what comes later as OTHER."""

    def __init__(self, values_max: Mapping[str, int] = VALUES_MAX) -> None:
        self._values_max = values_max
        self._known: dict[str, set[str]] = {label: set() for label in values_max}

    def cap(self, samples: Iterable[Sample]) -> list[Sample]:
        """Return the counters with capped names; sums over all names stay what they were."""
        sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for sample in samples:
            labels = tuple((key, self._name(key, value)) for key, value in sample.labels.items())
            series = sample.name, labels
            sums[series] = sums.get(series, 0.0) + sample.value
        return [Sample(name, dict(labels), value) for (name, labels), value in sums.items()]

    def _name(self, label: str, value: str) -> str:
        known = self._known.get(label)
        if known is None or value in known:
            return value
        if len(known) < self._values_max[label] - 1:
            known.add(value)
            return value
        return OTHER


def cut_counters(samples: Sequence[Sample], limit: int) -> tuple[list[Sample], int]:
    """Return the worker's metrics that fit as a whole, smallest first: half a histogram is none."""
    sizes = Counter(SPEC_BY_SERIES[sample.name].name for sample in samples)
    kept_names: set[str] = set()
    for name, size in sorted(sizes.items(), key=lambda item: (item[1], item[0])):
        if size <= limit:
            kept_names.add(name)
            limit -= size
    kept = [sample for sample in samples if SPEC_BY_SERIES[sample.name].name in kept_names]
    return kept, len(samples) - len(kept)
