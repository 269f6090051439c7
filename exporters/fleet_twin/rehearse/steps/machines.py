"""Machines: their owner plays, their model server is sick, they are switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_twin import faults
from fleet_twin.rehearse.play import Step
from fleet_twin.rehearse.sight import series

if TYPE_CHECKING:
    from fleet_twin.rehearse.scene import Scene
    from fleet_twin.rehearse.sight import Sight, Since

GAME_SECONDS = 30.0  # the owner waits ten at the most; then it is told, and scraped
SICK_SECONDS = 90.0  # three calls fail, the last after the pauses between them
WEDGED_SECONDS = 600.0  # three calls, of which each is waited for as long as a cold model may need
GONE_SECONDS = 90.0  # a lease of 30 s ends, and the master sweeps
PENDING = "SELECT count(*) AS n FROM analytics.tasks WHERE state = 'pending'"


def have_work(scene: Scene) -> None:
    """See to it that every node has something to write."""
    if (scene.value(PENDING) or 0) < 200:
        scene.order(400, min_turns=6, max_turns=6)


def start_game(scene: Scene, since: Since) -> list[Sight]:
    """The owner of a machine starts a game: it is theirs within seconds."""
    node = scene.find_node("desktop")
    have_work(scene)
    scene.set_fault(faults.GAME_STARTS, node)
    return [
        series(f"fleet_activity_mode{{node={node!r},mode='gaming'}} == 1", GAME_SECONDS),
        series(f"fleet_throttle_factor{{node={node!r}}} == 0", GAME_SECONDS),
        series(f"fleet_llm_state{{node={node!r},state='unloaded'}} == 1", GAME_SECONDS),
        since.event("model_unloaded", node=node, seconds=GAME_SECONDS),
    ]


def show_login_page(scene: Scene, since: Since) -> list[Sight]:
    """A login page stands in the model server's place: its circuit opens, no task suffers."""
    node = scene.find_node("desktop", 2)
    have_work(scene)
    scene.set_fault(faults.LOGIN_PAGE, node)
    return [
        since.event("llm_circuit_opened", node=node, seconds=SICK_SECONDS),
        series(f"fleet_llm_circuit_open{{node={node!r}}} == 1", SICK_SECONDS),
    ]


def take_login_page_away(scene: Scene, since: Since) -> list[Sight]:
    """The model server is back: one answered call closes the circuit."""
    node = scene.find_node("desktop", 2)
    scene.clear_faults(node)
    return [
        since.event("llm_circuit_closed", node=node, seconds=SICK_SECONDS),
        series(f"fleet_llm_circuit_open{{node={node!r}}} == 0", SICK_SECONDS),
    ]


def wedge_model(scene: Scene, since: Since) -> list[Sight]:
    """A model server takes every request and answers none."""
    node = scene.find_node("gamer")
    have_work(scene)
    scene.set_fault(faults.WEDGED_MODEL, node)
    return [
        since.event("llm_circuit_opened", node=node, seconds=WEDGED_SECONDS),
        series(f"fleet_llm_state{{node={node!r},state='wedged'}} == 1", WEDGED_SECONDS),
    ]


def switch_off(scene: Scene, since: Since) -> list[Sight]:
    """A machine is gone without a word: exporter, agent and worker at once."""
    node = scene.find_node("epyc")
    have_work(scene)
    writing = "SELECT FROM analytics.tasks WHERE node = %s AND state = 'running'"
    scene.wait_for(f"{node} writes", lambda: scene.rows(writing, node))
    scene.set_fault(faults.NODE_GONE, node)
    return [
        series(f"up{{job='fleet-node',node={node!r}}} == 0"),
        series("fleet_nodes{state='online'} < " + str(len(scene.places)), GONE_SECONDS),
        since.event("node_stale", node=node, seconds=GONE_SECONDS),
        since.event("task_taken_back", seconds=GONE_SECONDS),
    ]


def switch_on(scene: Scene, since: Since) -> list[Sight]:
    """It boots and works again."""
    node = scene.find_node("epyc")
    scene.clear_faults(node)
    return [
        series(f"up{{job='fleet-node',node={node!r}}} == 1", GONE_SECONDS),
        series("fleet_nodes{state='online'} == " + str(len(scene.places)), GONE_SECONDS),
        since.event("node_online", node=node, seconds=GONE_SECONDS),
        since.event("program_started", "worker", node, GONE_SECONDS),
    ]


STEPS = (
    Step("game-starts", start_game),
    Step("login-page", show_login_page),
    Step("login-page ends", take_login_page_away),
    Step("node-gone", switch_off),
    Step("node back", switch_on),
    Step("wedged-model", wedge_model, is_slow=True),
)
