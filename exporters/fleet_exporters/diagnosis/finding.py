"""What the doctor knows of one thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_exporters.errors import ExporterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_exporters.sample import Sample

FOUND, ABSENT, BROKEN = "found", "absent", "broken"
OK, WARNING = "ok", "warning"


@dataclass(frozen=True)
class Finding:
    """A sensor family, an activity signal, or a fact about this home; `reason` says why (not)."""

    name: str
    #: FOUND, ABSENT, BROKEN; OK, WARNING, BROKEN of a home
    state: str
    reason: str = ""
    samples: tuple[Sample, ...] = ()
    #: the command that shows the same
    by_hand: str = ""
    #: what a source of activity signals knows
    signals: Mapping[str, object] = field(default_factory=dict)

    @property
    def has_values(self) -> bool:
        """True once there is something to show."""
        return bool(self.samples or self.signals)


def explain(problem: Exception) -> str:
    """Return an error for people: ours speak for themselves, others need their kind."""
    return (
        str(problem)
        if isinstance(problem, ExporterError)
        else f"{type(problem).__name__}: {problem}"
    )


@dataclass(frozen=True)
class Diagnosis:
    """All findings; what a machine does not have is no fault."""

    sensors: tuple[Finding, ...]
    signals: tuple[Finding, ...]
    home: tuple[Finding, ...]

    @property
    def is_healthy(self) -> bool:
        """True while nothing that is there is broken."""
        return all(
            finding.state != BROKEN for finding in (*self.sensors, *self.signals, *self.home)
        )
