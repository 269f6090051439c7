"""
Where a step must be seen, and within how many seconds.

Times are those of the slowest part on the way: a request is audited in its own transaction, an
event is told with it or at the next heartbeat, a series is scraped each five seconds after the
master has read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_twin.rehearse.scene import Scene

AUDIT_SECONDS = 5.0
EVENT_SECONDS = 15.0
METRIC_SECONDS = 30.0
CHANGES = "sum(fleet_control_api_changes_total{{action={action!r},outcome='done'}})"
EVENT = """
SELECT FROM analytics.events WHERE kind = %s AND time >= %s AND message LIKE %s
AND (%s::text IS NULL OR node = %s)"""
AUDIT = """
SELECT FROM analytics.audit
WHERE action = %s AND target LIKE %s AND outcome = 'done' AND time >= %s"""


@dataclass(frozen=True)
class Sight:
    """One thing to be seen: in which place, what, and by which look."""

    where: str
    what: str
    look: Callable[[Scene], Any]
    within_seconds: float


@dataclass(frozen=True)
class Since:
    """Looks for what came after a moment of the database's clock."""

    time: Any

    def event(
        self, kind: str, part: str = "", node: str | None = None, seconds: float = EVENT_SECONDS
    ) -> Sight:
        """Expect an event of a kind whose message has this part, of this node if one is named."""
        values = (kind, self.time, f"%{part}%", node, node)
        about = f" of {node}" if node else ""
        return Sight("events", f"{kind}{about}", lambda s: s.rows(EVENT, *values), seconds)

    def audit(self, action: str, target: str) -> Sight:
        """Expect the audit row of a change, on a target that has this part."""
        values = (action, f"%{target}%", self.time)
        return Sight("audit", action, lambda s: s.rows(AUDIT, *values), AUDIT_SECONDS)


def series(query: str, seconds: float = METRIC_SECONDS) -> Sight:
    """Expect Prometheus to answer a query with at least one series."""
    return Sight("metrics", query, lambda s: s.metrics(query), seconds)


def answer(what: str, look: Callable[[Scene], Any], seconds: float = EVENT_SECONDS) -> Sight:
    """Expect what people are shown to say so: an answer of the control API, or a view."""
    return Sight("answer", what, look, seconds)


def count_changes(scene: Scene, action: str) -> float:
    """Return how many changes of a kind Prometheus has seen."""
    return sum(scene.metrics(CHANGES.format(action=action)))


def counted(action: str, before: float) -> Sight:
    """Expect the control API's counter of changes of a kind to have risen."""
    return series(f"{CHANGES.format(action=action)} > {before:g}")
