"""How many conversations a worker writes at once, and how long it rests between them. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet_orchestrator.model_server.watch import Report

REST_MAX_SECONDS = 60.0
# Of the kinds that tell no slots this one batches whatever comes; others queue it, or may.
BATCHING = "vllm"


@dataclass(frozen=True)
class Share:
    """Places in which conversations are written, and the share of time in which each is busy."""

    places: int
    busy_ratio: float


def decide_places(report: Report | None, at_once_max: int) -> int:
    """Return how many conversations the model server works on at once, within the setting."""
    if report is None:
        return 1
    slots = report.slots or (at_once_max if report.kind == BATCHING else 1)
    return max(1, min(slots, at_once_max))


def decide_share(places: int, factor: float) -> Share:
    """Return the share of a server that the throttle factor leaves: first places, then time."""
    used = places * factor
    if used <= 0:
        return Share(0, 0.0)
    # Half a place is a place that rests half of the time; 0.3 * 10 is a little above 3.
    kept = math.ceil(used - 1e-9)
    return Share(kept, min(1.0, used / kept))


def decide_rest(busy_seconds: float, busy_ratio: float) -> float:
    """Return how long to rest, at most a minute, after being busy for a share of the time."""
    if busy_ratio <= 0:
        return 0.0  # the loop waits by itself
    return min(REST_MAX_SECONDS, busy_seconds * (1 / busy_ratio - 1))
