"""Settings: one is set for a node, and rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_twin.rehearse.play import Step
from fleet_twin.rehearse.sight import series

if TYPE_CHECKING:
    from fleet_twin.rehearse.scene import Scene
    from fleet_twin.rehearse.sight import Sight, Since

KEY = "manual_throttle_factor"
SLOW = 0.25
LIMIT = "fleet_throttle_limit{{node={node!r},limit='manual'}}"


def slow_down(scene: Scene, since: Since) -> list[Sight]:
    """Hold a machine back by hand; its exporter publishes what it makes of it."""
    node = scene.find_node("epyc")
    scene.settings.add((KEY, f"node:{node}"))
    scene.change("PUT", f"/config/{KEY}", value=1, scope=f"node:{node}", reason="rehearsal")
    scene.change("PUT", f"/config/{KEY}", value=SLOW, scope=f"node:{node}", reason="rehearsal")
    return [
        since.audit("config.set", f"{KEY} of node:{node}"),
        since.event("setting_changed", f"{KEY} of node:{node} is {SLOW}"),
        series(f"fleet_throttle_factor{{node={node!r}}} <= {SLOW}"),
        series(f"{LIMIT.format(node=node)} == 1"),
    ]


def roll_back(scene: Scene, since: Since) -> list[Sight]:
    """Put the value from before in force again."""
    node = scene.find_node("epyc")
    scene.change("POST", f"/config/{KEY}/rollback", scope=f"node:{node}", reason="rehearsal")
    return [
        since.audit("config.rollback", f"{KEY} of node:{node}"),
        since.event("setting_changed", f"{KEY} of node:{node} is 1"),
        series(f"{LIMIT.format(node=node)} == 0"),
    ]


STEPS = (Step("setting", slow_down), Step("rollback", roll_back))
