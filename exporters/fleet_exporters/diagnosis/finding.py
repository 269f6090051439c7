"""What the doctor knows of one thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
