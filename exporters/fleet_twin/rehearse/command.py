"""`fleet twin rehearse`: every control and every blow, or every alert, and where each is seen."""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet_control_api.client.remote import Remote, Token
from fleet_control_api.service.errors import ClientError

from fleet_twin.rehearse.alerts.catalogue import DRILLS
from fleet_twin.rehearse.alerts.command import rehearse
from fleet_twin.rehearse.play import choose, play
from fleet_twin.rehearse.scene import Scene
from fleet_twin.rehearse.steps import fleet_state, jobs, kills, machines, nodes, settings
from fleet_twin.rehearse.table import HEAD, render_end, render_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from fleet_twin.machine.kinds import Place
    from fleet_twin.rehearse.play import Step

# Kills come last: a control API that was killed counts its changes from 0 again.
CONTROLS = (
    *jobs.STEPS,
    *nodes.STEPS,
    *settings.STEPS,
    *fleet_state.STEPS,
    *machines.STEPS,
    *kills.STEPS,
)


@dataclass(frozen=True)
class Running:
    """What the launcher knows of a running home: `fleet env`, and process ids by program."""

    read_addresses: Callable[[], Mapping[str, str]]
    read_processes: Callable[[], Mapping[str, int]]


def main(argv: list[str], running: Running, places: Sequence[Place], folder: Path) -> int:
    """
    Rehearse on the twin of these places, whose faults stand in `folder`.

    Return 1 when something was not seen in its time. Raises FleetError.
    """
    parser = argparse.ArgumentParser(prog="fleet twin rehearse", description=__doc__)
    parser.add_argument("what", choices=["controls", "alerts"])
    parser.add_argument("--only", metavar="STEP", nargs="+", default=[], help="only these steps")
    told = parser.parse_args(argv)
    is_alerts = told.what == "alerts"
    drills, steps = (
        choose(DRILLS, told.only * is_alerts),
        choose(CONTROLS, told.only * (not is_alerts)),
    )
    addresses = running.read_addresses()
    scene = Scene(
        Remote(
            addresses["FLEET_CONTROL_URL"],
            Token(addresses["FLEET_ADMIN_TOKEN"]),
            ca_file=addresses.get("FLEET_CONTROL_CA_FILE", ""),
            server_name=addresses.get("FLEET_CONTROL_SERVER_NAME", ""),
        ),
        addresses["FLEET_DATABASE_URL"],
        addresses["FLEET_PROMETHEUS_URL"],
        folder,
        places,
        running.read_processes,
    )
    # What was frozen must go on, also when somebody ends the rehearsal.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if is_alerts:
            return rehearse(scene, drills, addresses["FLEET_MAIL_DIR"], is_all=not told.only)
        return use_controls(scene, steps)
    finally:
        tidy(scene)


def use_controls(scene: Scene, steps: Sequence[Step]) -> int:
    """Use every control; return 1 when something was not seen in its time."""
    sys.stdout.write(f"{HEAD}\n")
    rows = []
    for row in play(scene, steps):
        rows.append(row)
        sys.stdout.write(f"{render_row(row)}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{render_end(rows)}\n")
    return int(any(row.is_miss for row in rows))


def tidy(scene: Scene) -> None:
    """Leave the twin as it was: no fault, job or setting of ours, fleet and workers running."""
    scene.clear_faults()
    changes: list[tuple[str, str, dict[str, Any]]]
    changes = [("POST", f"/jobs/{job}/cancel", {}) for job in scene.jobs]
    changes += [("POST", f"/nodes/{node}/start", {}) for node in sorted(scene.stopped)]
    changes += [
        ("PUT", f"/config/{key}", {"scope": scope, "value": None})
        for key, scope in sorted(scene.settings)
    ]
    for method, path, body in (*changes, ("POST", "/fleet/resume", {})):
        with suppress(ClientError):  # it has ended, or runs
            scene.change(method, path, **body, reason="the rehearsal is over")
