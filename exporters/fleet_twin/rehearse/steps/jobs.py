"""Jobs: ordered, watched, moved, paused, resumed, tried again, cancelled."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from fleet_twin.rehearse.play import Step
from fleet_twin.rehearse.scene import Heard
from fleet_twin.rehearse.sight import answer, count_changes, counted, series

if TYPE_CHECKING:
    from fleet_twin.rehearse.scene import Scene
    from fleet_twin.rehearse.sight import Sight, Since

TASKS = "SELECT count(*) AS n FROM analytics.tasks"
FIRST = """SELECT job_id FROM analytics.jobs WHERE priority = 1
AND state IN ('pending', 'running', 'paused') ORDER BY rank LIMIT 1"""
WRITTEN_SECONDS = 180.0
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


def submit_batch(scene: Scene, since: Since) -> list[Sight]:
    """Order several jobs at once."""
    orders = [{"scenario": "complaint", "count": 5, "priority": 0, **SHORT}] * 2
    before = count_changes(scene, "jobs.batch")
    made = scene.change("POST", "/jobs/batch", orders=orders)["jobs"]
    scene.jobs += [job["job_id"] for job in made]
    told = [since.event("job_submitted", job["job_id"]) for job in made]
    return [*told, since.audit("jobs.batch", made[0]["job_id"]), counted("jobs.batch", before)]


def count_accepted(scene: Scene, since: Since) -> list[Sight]:
    """Have a job written until so many are accepted, whatever is rejected meanwhile."""
    job = scene.order(10, counts="accepted", priority=9, **SHORT)
    return [
        since.audit("jobs.submit", job),
        since.event("job_done", job, seconds=WRITTEN_SECONDS),
        answer(
            "ten are accepted",
            lambda s: s.remote.call("GET", f"/jobs/{job}")["done"] >= 10,
            WRITTEN_SECONDS,
        ),
    ]


def reorder(scene: Scene, since: Since) -> list[Sight]:
    """Move the last job of its priority to the front."""
    scene.order(30, priority=1)
    job = scene.order(30, priority=1)
    before = count_changes(scene, "jobs.move")
    scene.change("POST", f"/jobs/{job}/move", to="first", reason="rehearsal")
    return [
        since.event("job_moved", job),
        since.audit("jobs.move", job),
        counted("jobs.move", before),
        answer("it is the first of its priority", lambda s: s.value(FIRST) == UUID(job)),
    ]


def hold(verb: str, kind: str, state: str, scene: Scene, since: Since) -> list[Sight]:
    """Pause the job that was ordered last, or let it go on."""
    job, action = scene.jobs[-1] if scene.jobs else scene.order(30, priority=1), f"jobs.{verb}"
    before = count_changes(scene, action)
    scene.change("POST", f"/jobs/{job}/{verb}", reason="rehearsal")
    return [
        since.event(kind, job),
        since.audit(action, job),
        counted(action, before),
        answer(
            f"the job is {state}",
            lambda s: (
                (s.remote.call("GET", f"/jobs/{job}")["state"] == "paused") == (verb == "pause")
            ),
        ),
    ]


def retry(scene: Scene, since: Since) -> list[Sight]:
    """Have what failed of a job tried again; of this one nothing has, which is said."""
    job = scene.order(1, priority=1)
    before = count_changes(scene, "jobs.retry")
    scene.change("POST", f"/jobs/{job}/retry", reason="rehearsal")
    return [since.audit("jobs.retry", job), counted("jobs.retry", before)]


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


STEPS = (
    Step("submit", submit),
    Step("watch", watch),
    Step("batch", submit_batch),
    Step("count accepted", count_accepted),
    Step("reorder", reorder),
    Step("job pause", partial(hold, "pause", "job_paused", "paused")),
    Step("job resume", partial(hold, "resume", "job_resumed", "open again")),
    Step("retry", retry),
    Step("cancel", cancel),
)
