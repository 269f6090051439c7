"""Nodes: their workers drained, stopped, started."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fleet_twin.rehearse.play import Step
from fleet_twin.rehearse.sight import count_changes, counted

if TYPE_CHECKING:
    from fleet_twin.rehearse.scene import Scene
    from fleet_twin.rehearse.sight import Sight, Since

OBEYED_SECONDS = 20.0
DRAINED_SECONDS = 90.0  # the conversation that it writes is finished first


def tell(verb: str, seconds: float, scene: Scene, since: Since) -> list[Sight]:
    """Tell a node what its worker is to do; it begins, and says when it is done."""
    node, action = scene.find_node("epyc"), f"nodes.{verb}"
    before = count_changes(scene, action)
    scene.change("POST", f"/nodes/{node}/{verb}", reason="rehearsal")
    (scene.stopped.discard if verb == "start" else scene.stopped.add)(node)
    return [
        since.audit(action, node),
        since.event("command_requested", verb.capitalize(), node),
        since.event("command_acknowledged", verb, node),
        since.event("command_done", verb, node, seconds),
        counted(action, before),
    ]


STEPS = (
    Step("node stop", partial(tell, "stop", OBEYED_SECONDS)),
    Step("node start", partial(tell, "start", OBEYED_SECONDS)),
    Step("node drain", partial(tell, "drain", DRAINED_SECONDS)),
    Step("node start again", partial(tell, "start", OBEYED_SECONDS)),
)
