"""What passes between collectors, sampler and sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

MODES = ("idle", "work", "gaming", "throttling")
# The device did not answer, or what it said cannot be true.
UNREADABLE, IMPOSSIBLE = DROP_REASONS = ("unreadable", "impossible")
LIMITS = ("manual", "heat", "battery", "gaming", "work")


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one metric; names and labels stand in the catalogue, units in the name."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Dropped:
    """A reading that is missing: a mount, a file, a function of a card; the others are there."""

    what: str
    why: str
    #: one of DROP_REASONS
    reason: str = UNREADABLE

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


Read = Callable[[], Iterable[Sample | Dropped]]


@dataclass(frozen=True)
class Verdict:
    """What the machine's state allows the worker: a mode of MODES and a factor from 0 to 1."""

    mode: str
    throttle_factor: float
    reason: str
    #: celsius by sensor, as the verdict used them
    temperatures: Mapping[str, float] = field(default_factory=dict)
    #: which of LIMITS hold the worker back, the strongest first
    limits: tuple[str, ...] = ()
    #: the running call must end now, not with its conversation
    must_cut: bool = False
    #: what the activity was decided from; None is unknown
    signals: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Tick:
    """All readings of one moment."""

    time: datetime
    samples: tuple[Sample, ...]
    verdict: Verdict
