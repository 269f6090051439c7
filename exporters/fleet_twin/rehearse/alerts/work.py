"""Work that fails, is bad, or is not done."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from fleet_control_api.service.errors import ClientError

from fleet_twin import faults
from fleet_twin.rehearse.alerts.drill import Drill, Expected
from fleet_twin.rehearse.alerts.stage import together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleet_twin.rehearse.alerts.stage import Stage

NODES = ("laptop-1", "laptop-2")  # all of their model
QUALITY_SECONDS = 900.0
GIVEN_UP = "SELECT job_id::text FROM analytics.jobs WHERE failed > 0"
OTHERS = "SELECT job_id::text FROM analytics.jobs WHERE state IN ('pending', 'running')"
JUDGED = "SELECT count(*) AS n FROM analytics.conversations"
JUDGED_MIN = 20  # below that no rule says anything of quality
# Strictest values: a few bad writers in a good fleet are enough.
STRICT = {
    "yield_ratio_min": 1.0,
    "rejection_rise_max": 0.01,
    "quality_drop_max": 0.001,
    "duplicate_ratio_max": 0.01,
}


def fail_job(stage: Stage) -> Callable[[], object]:
    """
    Let model servers refuse all conversations, and have a job that only they may write.

    They answer short questions, so that the failures are those of the tasks.
    """
    model = next(place.kind.model for place in stage.scene.places if place.node in NODES)
    heal = stage.fault(faults.SMALL_CONTEXT, *NODES)
    stage.order(1, priority=9, model=model)

    def retry() -> None:
        """Have everything tried again that was given up."""
        tell_jobs(stage, [row["job_id"] for row in stage.scene.rows(GIVEN_UP)], "retry")

    return together(retry, heal)


def write_badly(stage: Stage) -> Callable[[], object]:
    """Let some models write nonsense and copies, and be strict about it."""
    ends = [stage.set(key, value) for key, value in STRICT.items()]
    stage.wait_for(
        f"{JUDGED_MIN} conversations are judged",
        lambda: (stage.scene.value(JUDGED) or 0) >= JUDGED_MIN,
        180,
    )
    ends.append(stage.fault(faults.DUPLICATE_OUTPUT, "laptop-1", "epyc-1"))
    ends.append(stage.fault(faults.BAD_OUTPUT, "laptop-2"))
    return together(*ends)


def write_nothing(stage: Stage) -> Callable[[], object]:
    """Have nothing in the queue but work that no machine may do."""
    end = stage.set("no_conversations_seconds", 60)
    paused = [row["job_id"] for row in stage.scene.rows(OTHERS)]
    tell_jobs(stage, paused, "pause")
    job = stage.order(5, model="a-model-that-nobody-has")

    def resume() -> None:
        tell_jobs(stage, [job], "cancel")
        tell_jobs(stage, paused, "resume")

    return together(end, resume)


def tell_jobs(stage: Stage, jobs: Sequence[str], verb: str) -> None:
    """Pause jobs, let them go on, or cancel them."""
    for job in jobs:
        with suppress(ClientError):  # it has just ended
            stage.scene.change("POST", f"/jobs/{job}/{verb}", reason="rehearsal")


DRILLS = (
    Drill(
        "jobs-failing",
        (Expected("JobFailed"), Expected("DeadLetters")),
        fail_job,
        ("prometheus-disk-full",),
    ),
    Drill(
        "bad-writers",
        (
            Expected("YieldLow"),
            Expected("RejectionSpike"),
            Expected("QualityDrop"),
            Expected("DuplicatesMany"),
        ),
        write_badly,
        fire_seconds=QUALITY_SECONDS,
        clear_seconds=QUALITY_SECONDS,
        needs_past=True,
    ),
)
LAST = (
    Drill("nothing-written", (Expected("NoConversations"),), write_nothing, ("no-model-server",)),
)
