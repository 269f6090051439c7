"""Model servers that are down, wedged, failing, without their model, slow, on the wrong chip."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fleet_twin import faults
from fleet_twin.rehearse.alerts.drill import Drill, Expected, alone
from fleet_twin.rehearse.alerts.stage import together

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_twin.rehearse.alerts.stage import Stage

NODE = "gamer-2"
WEDGED_SECONDS = 420.0
FALLBACK_SECONDS = 720.0  # a mean of five minutes, for two more
PATIENCE = "request_seconds_max"  # seconds that a call may take


def wedge(stage: Stage) -> Callable[[], object]:
    """Let a model server take calls and answer none; three that fail are enough."""
    end = stage.set(PATIENCE, 5, f"node:{NODE}")
    return together(end, stage.fault(faults.WEDGED_MODEL, NODE))


def stop_all(stage: Stage) -> Callable[[], object]:
    """End the model servers of all machines while work waits."""
    stage.order(200)
    return stage.fault(faults.MODEL_DOWN, *(place.node for place in stage.scene.places))


DRILLS = (
    alone(faults.MODEL_DOWN, NODE, "ModelServerDown", after=(faults.WEDGED_MODEL,)),
    alone(faults.MODEL_FAILING, NODE, "ModelServerFailing", after=(faults.MODEL_DOWN,)),
    alone(faults.MODEL_MISSING, NODE, "ModelMissing", after=(faults.MODEL_FAILING,)),
    Drill(
        faults.WEDGED_MODEL,
        (Expected("ModelServerWedged", NODE),),
        wedge,
        ("prometheus-disk-full",),
        WEDGED_SECONDS,
    ),
    replace(
        alone(faults.CPU_FALLBACK, "desktop-2", "CpuFallback"),
        fire_seconds=FALLBACK_SECONDS,
    ),
    replace(
        alone(faults.SLOW_MODEL, "gamer-3", "ThroughputCliff"),
        fire_seconds=FALLBACK_SECONDS,
        needs_past=True,
    ),
)
LAST = (
    Drill(
        "no-model-server",
        (Expected("NoModelServerWorks"),),
        stop_all,
        ("master-killed",),
        WEDGED_SECONDS,
    ),
)
