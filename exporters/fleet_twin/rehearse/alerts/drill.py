"""What a drill is: a fault, the alerts that must come of it, and when it may begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleet_twin.rehearse.alerts.stage import Stage

FIRE_SECONDS = 240.0
CLEAR_SECONDS = 420.0


@dataclass(frozen=True)
class Expected:
    """An alert that must fire; `where` is a value among its labels, its node or job."""

    alert: str
    where: str | None = None
    has_mail: bool = True

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert with these labels is the one."""
        is_there = self.where is None or self.where in labels.values()
        return labels["alertname"] == self.alert and is_there


@dataclass(frozen=True)
class Drill:
    """
    One fault. `begin` does it and returns what ends it.

    It begins when the faults of `after` are over. `is_blow`: it is over once it was dealt.
    `holds_mail`: while it lasts no mail can come. One that is not `ends` is there always, and
    nothing is to clear. `needs_past`: its rule compares with the hour or day before.
    """

    name: str
    expected: tuple[Expected, ...]
    begin: Callable[[Stage], Callable[[], object]]
    after: tuple[str, ...] = ()
    fire_seconds: float = FIRE_SECONDS
    clear_seconds: float = CLEAR_SECONDS
    is_blow: bool = False
    holds_mail: bool = False
    ends: bool = True
    needs_past: bool = False


def alone(fault: str, node: str, *alerts: str, after: tuple[str, ...] = ()) -> Drill:
    """Return the drill of one fault on one machine, whose node its alerts name."""
    expected = tuple(Expected(alert, node) for alert in alerts)
    return Drill(fault, expected, lambda stage: stage.fault(fault, node), after)


@dataclass(frozen=True)
class Row:
    """What became of one alert of a drill; None where it was not seen. Times in seconds."""

    fault: str
    alert: str
    fire: float | None = None
    mail: float | None = None
    clear: float | None = None
    is_miss: bool = False
    note: str = ""
