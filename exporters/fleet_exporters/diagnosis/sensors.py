"""What a sensor family says, or why it says nothing."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from fleet_exporters.diagnosis import by_hand
from fleet_exporters.diagnosis.finding import ABSENT, BROKEN, FOUND, Finding, explain
from fleet_exporters.diagnosis.probe import Probe
from fleet_exporters.errors import NoDevice
from fleet_exporters.reading.family import take
from fleet_exporters.reading.sampler import clean, is_possible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_exporters.sample import Read


def make_probes(families: Mapping[str, Read]) -> list[Probe]:
    """Return one probe a family, in their order."""
    return [
        Probe(name, partial(look, name, read), by_hand.find(read), is_patient=True)
        for name, read in families.items()
    ]


def look(name: str, read: Read) -> Finding:
    """Read a family once; what it gave before it failed is kept."""
    reading = take(read, time.monotonic)
    seen: set[tuple[str, ...]] = set()
    kept = tuple(sample for sample in map(clean, reading.samples) if is_possible(sample, seen))
    reasons = [explain(reading.problem)] if reading.problem is not None else []
    # A family without any answer says the same as its problem.
    reasons += [text for text in map(str, reading.dropped) if text not in "".join(reasons)]
    impossible = len(reading.samples) - len(kept)
    if impossible:
        reasons.append(f"{impossible} impossible value{'s'[: impossible - 1]} left out")
    state = FOUND
    if reading.problem is not None:
        state = ABSENT if isinstance(reading.problem, NoDevice) else BROKEN
    return Finding(name, state, "; ".join(reasons), kept, by_hand=by_hand.find(read))
