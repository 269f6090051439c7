"""Programs beside the nodes: frozen, killed, cut off; what the database keeps is tampered with."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fleet_twin import faults
from fleet_twin.rehearse.alerts.drill import Drill, Expected
from fleet_twin.rehearse.alerts.stage import together

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_twin.rehearse.alerts.stage import Stage

LEVELS_SECONDS = 540.0  # levels may be five minutes old, for one more
NOTIFY_SECONDS = 540.0  # no notification by one way for four minutes
CUT = """DELETE FROM control.audit
WHERE audit_id > (SELECT max(audit_id) - least(30, count(*) - 1) FROM control.audit)"""
HEAD = "SELECT audit_rows FROM control.read_audit_head()"
FILL_SECONDS = 120.0
FREEZE_SECONDS = 3.0  # until the twin has read of it: an agent acknowledges at once


def replace_master(stage: Stage) -> Callable[[], object]:
    """Kill the master, which cannot give its lead up; the next one takes over when it ends."""
    stage.scene.kill("master")
    return lambda: None


def refuse_levels(stage: Stage) -> Callable[[], object]:
    """Have the table of minutes refuse every row."""
    return stage.refuse_rows("telemetry.hardware_1m", "false")


def cut_audit(stage: Stage) -> Callable[[], object]:
    """Cut the last rows off the audit log, past its trigger, as only the owner can."""
    before = int(stage.scene.value(HEAD))
    off = "SET LOCAL session_replication_role = replica"
    stage.execute(off, CUT)

    def fill() -> None:
        """Do so many audited things that it is as long as before."""
        until = time.monotonic() + FILL_SECONDS
        while int(stage.scene.value(HEAD) or 0) <= before and time.monotonic() < until:
            end = stage.set("cpu_hot_celsius", 81)
            end()

    return fill


def stop_fleet(stage: Stage) -> Callable[[], object]:
    """Stop the fleet while a machine hangs: it is not offline yet, and says nothing."""
    thaw = stage.fault(faults.NODE_FROZEN, "laptop-2")
    time.sleep(FREEZE_SECONDS)
    body = {"confirm": "STOP", "reason": "rehearsal"}
    stage.scene.change("POST", "/fleet/emergency-stop", **body)

    def resume() -> None:
        stage.scene.change("POST", "/fleet/resume", reason="rehearsal")

    return together(thaw, resume)


DRILLS = (
    Drill("levels-refused", (Expected("LevelsStuck"),), refuse_levels, fire_seconds=LEVELS_SECONDS),
    Drill(
        "control-api-frozen",
        (Expected("ServiceDown", "fleet-control-api"), Expected("NotificationsFailing")),
        lambda stage: stage.freeze("control-api"),
        # They ask it for something.
        ("node-gone", "readings-stuck", "jobs-failing", "wedged-model"),
        NOTIFY_SECONDS,
    ),
)
LAST = (
    Drill(
        "database-frozen",
        (Expected("DatabaseDown"),),
        lambda stage: stage.freeze("postgres"),
        ("levels-refused", "jobs-failing", "bad-writers", "control-api-frozen"),
    ),
    Drill("audit-cut", (Expected("AuditLogShrunk"),), cut_audit, ("database-frozen",)),
    Drill(
        "emergency-stop",
        (Expected("StopNotAcknowledged"),),
        stop_fleet,
        ("database-frozen",),
    ),
    Drill(
        "master-frozen",
        (Expected("ServiceDown", "fleet-master"), Expected("NoLeader")),
        lambda stage: stage.freeze("master"),
        ("emergency-stop", "audit-cut"),
    ),
    Drill("master-killed", (Expected("NodeFailover"),), replace_master, ("master-frozen",)),
)
