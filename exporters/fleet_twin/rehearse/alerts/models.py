"""Model servers that are down, wedged, failing, without their model, slow, on the wrong chip."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fleet_twin import faults
from fleet_twin.rehearse.alerts.drill import Drill, Expected
from fleet_twin.rehearse.alerts.stage import together

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_twin.rehearse.alerts.stage import Stage

NODE = "gamer-2"
WEDGED_SECONDS = 420.0
FALLBACK_SECONDS = 720.0  # a mean of five minutes, for two more
PATIENCE = "request_seconds_max"  # seconds that a call may take


def hurt(fault: str, node: str, stage: Stage) -> Callable[[], object]:
    """Set one fault of a model server."""
    return stage.fault(fault, node)


def wedge(stage: Stage) -> Callable[[], object]:
    """Let a model server take calls and answer none; three that fail are enough."""
    end = stage.set(PATIENCE, 5, f"node:{NODE}")
    return together(end, stage.fault(faults.WEDGED_MODEL, NODE))


def stop_all(stage: Stage) -> Callable[[], object]:
    """End the model servers of all machines while work waits."""
    stage.order(200)
    return stage.fault(faults.MODEL_DOWN, *(place.node for place in stage.scene.places))


def sick(fault: str, alert: str, *after: str) -> Drill:
    """Return the drill of one sick model server."""
    return Drill(fault, (Expected(alert, NODE),), partial(hurt, fault, NODE), after)


DRILLS = (
    sick(faults.MODEL_DOWN, "ModelServerDown", faults.WEDGED_MODEL),
    sick(faults.MODEL_FAILING, "ModelServerFailing", faults.MODEL_DOWN),
    sick(faults.MODEL_MISSING, "ModelMissing", faults.MODEL_FAILING),
    Drill(
        faults.WEDGED_MODEL,
        (Expected("ModelServerWedged", NODE),),
        wedge,
        ("prometheus-disk-full",),
        WEDGED_SECONDS,
    ),
    Drill(
        faults.CPU_FALLBACK,
        (Expected("CpuFallback", "desktop-2"),),
        partial(hurt, faults.CPU_FALLBACK, "desktop-2"),
        fire_seconds=FALLBACK_SECONDS,
    ),
    Drill(
        faults.SLOW_MODEL,
        (Expected("ThroughputCliff", "gamer-3"),),
        partial(hurt, faults.SLOW_MODEL, "gamer-3"),
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
