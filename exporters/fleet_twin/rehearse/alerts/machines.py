"""Machines that are gone, hang, lie, run hot or fill up."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fleet_twin import faults
from fleet_twin.rehearse.alerts.drill import Drill, Expected, alone
from fleet_twin.rehearse.alerts.stage import together

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_twin.rehearse.alerts.stage import Stage

FIRST = ("prometheus-disk-full",)  # what blinds the watchers is over
HEAT_SECONDS = 960.0  # ThrottlingLong asks for ten minutes of it
LINGER_SECONDS = 660.0  # until less than half of a quarter of an hour was hot
LEAK_SECONDS = 1200.0  # as DiskFullSoon, after a trend that is worth the name
WRITING = "SELECT FROM analytics.tasks WHERE node = %s AND state = 'running'"


def vanish(stage: Stage) -> Callable[[], object]:
    """Switch a machine off that writes: its task is lost too."""
    node, end = "epyc-1", stage.set("leases_lost_max", 0)
    stage.wait_for(f"{node} writes", lambda: stage.scene.rows(WRITING, node), 60)
    return together(end, stage.fault(faults.NODE_GONE, node))


def heat(fault: str, node: str, stage: Stage) -> Callable[[], object]:
    """Cool a chip badly; a twentieth of a quarter of an hour is long already."""
    return together(stage.set("throttling_ratio_max", 0.05), stage.fault(fault, node))


def hold_up(stage: Stage) -> Callable[[], object]:
    """Let an exporter's readings wait; a minute is long already."""
    end = stage.set("spool_age_seconds_max", 60)
    return together(end, stage.fault(faults.READINGS_STUCK, "laptop-2"))


def refuse_readings(stage: Stage) -> Callable[[], object]:
    """Have the database refuse the readings of a machine for good: they are lost."""
    return stage.refuse_rows("telemetry.hardware", "node <> 'laptop-1'")


def hot(fault: str, node: str, *alerts: str, name: str) -> Drill:
    """Return the drill of a chip that stays hot for long."""
    expected = tuple(Expected(alert, node) for alert in (*alerts, "ThrottlingLong"))
    begin = partial(heat, fault, node)
    return Drill(name, expected, begin, FIRST, HEAT_SECONDS, LINGER_SECONDS)


DRILLS = (
    Drill(
        faults.NODE_GONE,
        (Expected("NodeDown", "epyc-1"), Expected("LeaseStorm")),
        vanish,
        FIRST,
    ),
    hot(faults.CPU_HOT, "desktop-1", "CpuHot", name=faults.CPU_HOT),
    hot(faults.GPU_HOT, "gamer-1", "GpuHot", name=faults.GPU_HOT),
    hot(faults.CPU_HOT, "raspberry-1", "CpuHot", "PiHot", name="pi-hot"),
    alone(faults.UNDER_VOLTAGE, "raspberry-2", "UnderVoltage", after=(faults.PAGE_TOO_LONG,)),
    alone(faults.EXPORTER_FROZEN, "raspberry-2", "ExporterSilent", after=(faults.UNDER_VOLTAGE,)),
    alone(faults.AGENT_FROZEN, "raspberry-2", "AgentSilent", after=(faults.EXPORTER_FROZEN,)),
    alone(
        faults.NODE_TWICE, "raspberry-2", "NodeDuplicated", "ReadingsHeldBack",
        after=(faults.AGENT_FROZEN,),
    ),
    alone(faults.SENSORS_BLIND, "desktop-2", "SensorsBlind", after=FIRST),
    alone(faults.CLOCK_SKEW, "desktop-2", "ClockSkewed", after=FIRST),
    alone(faults.GPU_LOST, "gamer-3", "GpuLost", after=(faults.SLOW_MODEL,)),
    replace(
        alone(faults.DISK_LEAKING, "laptop-1", "DiskFullSoon"),
        fire_seconds=LEAK_SECONDS,
        clear_seconds=LINGER_SECONDS,
        needs_past=True,
    ),
    alone(faults.DISK_FILLING, "laptop-2", "DiskFillingUp", after=FIRST),
    alone(faults.MODEL_DISK_FULL, "laptop-2", "ModelDiskFull", after=(faults.DISK_FILLING,)),
    Drill(
        faults.READINGS_STUCK,
        (Expected("IngestLagging", "laptop-2"), Expected("SpoolFilling", "laptop-2")),
        hold_up,
        FIRST,
    ),
    Drill("readings-refused", (Expected("ReadingsLost", "laptop-1"),), refuse_readings, FIRST),
)  # fmt: skip
