"""The fleet as a whole: paused, resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_twin.rehearse.play import Step
from fleet_twin.rehearse.sight import series

if TYPE_CHECKING:
    from fleet_twin.rehearse.scene import Scene
    from fleet_twin.rehearse.sight import Sight, Since


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


STEPS = (Step("fleet pause", pause), Step("fleet resume", resume))
