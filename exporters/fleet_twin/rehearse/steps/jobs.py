"""Jobs: ordered, watched, moved, paused, cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_twin.rehearse.play import Step
from fleet_twin.rehearse.scene import Heard
from fleet_twin.rehearse.sight import answer, count_changes, counted, series

if TYPE_CHECKING:
    from fleet_twin.rehearse.scene import Scene
    from fleet_twin.rehearse.sight import Sight, Since

TASKS = "SELECT count(*) AS n FROM analytics.tasks"
SHORT = {"min_turns": 6, "max_turns": 6}


def submit(scene: Scene, since: Since) -> list[Sight]:
    """Order conversations; they become tasks, and are written."""
    tasks, counted_before = scene.value(TASKS) or 0, count_changes(scene, "jobs.submit")
    job = scene.order(40, **SHORT)
    return [
        since.event("job_submitted", job),
        since.audit("jobs.submit", job),
        counted("jobs.submit", counted_before),
        series(f"sum(fleet_tasks) >= {tasks + 40}"),
    ]


def watch(scene: Scene, since: Since) -> list[Sight]:
    """Listen to the stream of events while a job is ordered and written."""
    before = sum(scene.metrics("sum(fleet_conversations_total)"))
    heard = Heard(scene.remote)
    job = scene.order(400, **SHORT)
    # Whoever watches sees these numbers move.
    return [
        since.audit("jobs.submit", job),
        answer("the stream of events tells of the order", lambda _: heard.has(job)),
        answer("progress of the job", lambda s: s.remote.call("GET", f"/jobs/{job}")["done"], 60),
        series(f"sum(fleet_conversations_total) > {before:g}", 60),
    ]


def cancel(scene: Scene, since: Since) -> list[Sight]:
    """End a job of which nothing is written yet."""
    job = scene.order(30, priority=0)
    cancelled = scene.value(f"{TASKS} WHERE state = 'cancelled'") or 0
    scene.wait_for(
        "the tasks of a job", lambda: scene.value(f"{TASKS} WHERE job_id = %s", job) == 30
    )
    scene.change("POST", f"/jobs/{job}/cancel", reason="rehearsal")
    return [
        since.event("job_cancelled", job),
        since.audit("jobs.cancel", job),
        series(f"fleet_tasks{{state='cancelled'}} >= {cancelled + 30}"),
    ]


STEPS = (Step("submit", submit), Step("watch", watch), Step("cancel", cancel))
