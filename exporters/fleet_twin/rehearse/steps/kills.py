"""Programs: each is killed as the kernel does (-9), and comes back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fleet_orchestrator.events.programs import TITLES

from fleet_twin.fleet.programs import MACHINE
from fleet_twin.rehearse.play import Step
from fleet_twin.rehearse.sight import series

if TYPE_CHECKING:
    from fleet_twin.rehearse.scene import Scene
    from fleet_twin.rehearse.sight import Sight, Since

TOLD_SECONDS = 30.0  # the twin, who tells it, may be the one that starts again
BACK_SECONDS = 90.0
KILLED = "(process {pid}) was killed by SIGKILL"
STARTED = "{title} on {machine} (process"
# What only a program that works again can have: a page of it that was scraped after the kill.
SCRAPED = "({page} == 1) and (timestamp({page}) > {now})"
HEARTBEAT = "fleet_node_heartbeat_timestamp_seconds{{node={node!r}}} > {now} + 1"
PAGES = {
    "prometheus": "up{job='prometheus'}",
    "alertmanager": "up{job='alertmanager'}",
    "twin": "up{job='fleet-node',node='epyc-1'}",
    "control-api": "up{job='fleet-control-api'}",
    "master": "fleet_master_leading",
}
# PostgreSQL comes last: everybody has to find it again.
PROGRAMS = ("mail", "prometheus", "alertmanager", "twin", "control-api", "master", "postgres")


def kill(program: str, scene: Scene, since: Since) -> list[Sight]:
    """Kill a program; who tells it, and that it works again."""
    now = scene.value("SELECT extract(epoch FROM clock_timestamp())::float8 AS now")
    pid = scene.kill(program)
    started = STARTED.format(title=TITLES[program], machine=MACHINE)
    sights = [
        since.event("program_ended", KILLED.format(pid=pid), seconds=TOLD_SECONDS),
        since.event("program_started", started, seconds=BACK_SECONDS),
    ]
    if program in PAGES:
        sights.append(series(SCRAPED.format(page=PAGES[program], now=now), BACK_SECONDS))
    if program == "postgres":
        query = HEARTBEAT.format(node=scene.find_node("epyc"), now=now)
        sights.append(series(query, BACK_SECONDS))
        sights.append(since.event("database_away", "The master", seconds=BACK_SECONDS))
    return sights


STEPS = tuple(Step(f"kill {program}", partial(kill, program)) for program in PROGRAMS)
