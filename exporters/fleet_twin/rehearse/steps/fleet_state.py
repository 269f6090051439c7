"""The fleet as a whole: paused, resumed, stopped in an emergency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_twin.rehearse.play import Step
from fleet_twin.rehearse.sight import answer, series

if TYPE_CHECKING:
    from fleet_twin.rehearse.scene import Scene
    from fleet_twin.rehearse.sight import Sight, Since

STOPPED_SECONDS = 10.0
SPREAD_SECONDS = 45.0  # each machine waits up to 10 s of its own, and starts a worker
SILENT = "SELECT count(*) AS n FROM analytics.emergency_stop WHERE acknowledged_at IS NULL"
HELD = "SELECT count(*) AS n FROM analytics.tasks WHERE state IN ('claimed', 'running')"


def pause(scene: Scene, since: Since) -> list[Sight]:
    """Let no node take new work."""
    scene.change("POST", "/fleet/pause", reason="rehearsal")
    return [
        since.audit("fleet.pause", "fleet"),
        since.event("fleet_paused"),
        series("fleet_paused == 1"),
    ]


def resume(scene: Scene, since: Since) -> list[Sight]:
    """Let the nodes take work again; they claim at once."""
    scene.change("POST", "/fleet/resume", reason="rehearsal")
    return [
        since.audit("fleet.resume", "fleet"),
        since.event("fleet_resumed"),
        series("fleet_paused == 0"),
        series("fleet_tasks{state='running'} > 0"),
    ]


def stop(scene: Scene, since: Since) -> list[Sight]:
    """Stop all at once: every machine acknowledges, and nothing is claimed any more."""
    scene.change("POST", "/fleet/emergency-stop", confirm="STOP", reason="rehearsal")
    return [
        since.audit("fleet.emergency-stop", "fleet"),
        since.event("fleet_stopped"),
        answer("every node has acknowledged", lambda s: s.value(SILENT) == 0, STOPPED_SECONDS),
        answer("no task is held", lambda s: s.value(HELD) == 0, STOPPED_SECONDS),
        series("fleet_stopped == 1"),
        series("fleet_stop_unacknowledged_nodes == 0"),
        series("fleet_tasks{state='running'} == 0"),
    ]


def resume_after_stop(scene: Scene, since: Since) -> list[Sight]:
    """Go on, one machine after the other."""
    scene.change("POST", "/fleet/resume", reason="rehearsal")
    return [
        since.audit("fleet.resume", "fleet"),
        since.event("fleet_resumed", "emergency stop"),
        series("fleet_stopped == 0"),
        series("fleet_tasks{state='running'} > 0", SPREAD_SECONDS),
    ]


STEPS = (
    Step("fleet pause", pause),
    Step("fleet resume", resume),
    Step("emergency stop", stop),
    Step("resume", resume_after_stop),
)
