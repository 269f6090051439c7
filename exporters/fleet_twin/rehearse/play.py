"""Play steps one after the other: act, then look until all is seen or its time is over."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import psycopg
from fleet_timescale.errors import FleetError

from fleet_twin.rehearse.scene import LOOK_SECONDS, RehearsalError
from fleet_twin.rehearse.sight import Since

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fleet_twin.rehearse.scene import Scene
    from fleet_twin.rehearse.sight import Sight


@dataclass(frozen=True)
class Step:
    """
    One thing that is done; `act` returns what must be seen of it.

    A slow one is done before all others and looked for in its turn.
    """

    name: str
    act: Callable[[Scene, Since], Sequence[Sight]]
    is_slow: bool = False


@dataclass(frozen=True)
class Row:
    """What became of one expectation; `seconds` is None where it was not seen."""

    step: str
    expected: str
    where: str
    seconds: float | None
    within_seconds: float = 0.0

    @property
    def is_miss(self) -> bool:
        """True when it was not seen in its time."""
        return self.seconds is None or self.seconds > self.within_seconds


def play(scene: Scene, steps: Sequence[Step]) -> Iterator[Row]:
    """Yield the rows of all steps, as they come; one that cannot be done is a miss."""
    begun = {step.name: begin(scene, step) for step in steps if step.is_slow}
    for step in steps:
        yield from look(scene, step, begun.get(step.name) or begin(scene, step))


@dataclass(frozen=True)
class Begun:
    """A step that was acted, and when; `problem` where it could not be."""

    at: float
    sights: Sequence[Sight] = ()
    problem: str = ""


def begin(scene: Scene, step: Step) -> Begun:
    """Do what a step does."""
    since = Since(scene.value("SELECT clock_timestamp() AS now"))
    at = time.monotonic()
    try:
        return Begun(at, step.act(scene, since))
    except (FleetError, psycopg.Error, OSError) as exc:
        return Begun(at, problem=str(exc))


def look(scene: Scene, step: Step, begun: Begun) -> Iterator[Row]:
    """Yield a row for each sight, those that are seen first first."""
    if begun.problem:
        yield Row(step.name, f"to be done: {begun.problem}", "", None)
    left = list(begun.sights)
    while left:
        for sight in list(left):
            is_seen = bool(sight.look(scene))
            seconds = time.monotonic() - begun.at
            if is_seen or seconds > sight.within_seconds:
                left.remove(sight)
                found = seconds if is_seen else None
                yield Row(step.name, sight.what, sight.where, found, sight.within_seconds)
        if left:
            time.sleep(LOOK_SECONDS)


class Named(Protocol):
    """What can be asked for by its name."""

    @property
    def name(self) -> str:
        """What people call it."""


NamedT = TypeVar("NamedT", bound=Named)


def choose(steps: Sequence[NamedT], names: Sequence[str]) -> list[NamedT]:
    """Return the named steps in their own order; all without a name. Raises RehearsalError."""
    known = [step.name for step in steps]
    if unknown := [name for name in names if name not in known]:
        raise RehearsalError(f"there is no step {unknown[0]!r}; there are {', '.join(known)}")
    return [step for step in steps if not names or step.name in names]
