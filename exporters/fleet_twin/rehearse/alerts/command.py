"""`fleet twin rehearse alerts`: every alert fired for real, mailed and cleared."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_twin import faults
from fleet_twin.rehearse.alerts.catalogue import NOT_REHEARSED
from fleet_twin.rehearse.alerts.drill import Row
from fleet_twin.rehearse.alerts.mails import MailFolder, list_doubled
from fleet_twin.rehearse.alerts.past import give_past
from fleet_twin.rehearse.alerts.play import Play
from fleet_twin.rehearse.alerts.stage import Stage
from fleet_twin.rehearse.alerts.table import HEAD, render_end, render_row
from fleet_twin.rehearse.alerts.watch import Watch, read_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fleet_twin.rehearse.alerts.drill import Drill
    from fleet_twin.rehearse.scene import Scene

CONVERSATIONS = 4000  # so that no machine runs out of work


def rehearse(scene: Scene, drills: Sequence[Drill], mails: str, *, is_all: bool) -> int:
    """Play the drills; return 1 where an alert was missed, or a mail came twice."""
    stage, folder, stop = Stage(scene), MailFolder(Path(mails)), threading.Event()
    prepare(stage, drills)
    watch = Watch(scene.prometheus, folder)
    watch.look()  # what fires already is no news
    threading.Thread(target=watch.run, args=(stop,), name="watch", daemon=True).start()
    write(HEAD)
    rows = []
    try:
        for row in Play(stage, watch, tell).run(drills):
            rows.append(row)
            write(render_row(row))
    finally:
        stop.set()
    for row in list_others(read_rules(scene.prometheus), drills) if is_all else ():
        rows.append(row)
        write(render_row(row))
    doubled = list_doubled(folder.mails)
    write(render_end(rows, len(folder.mails), [mail.alert for mail in doubled]))
    return int(any(row.is_miss for row in rows) or bool(doubled))


def prepare(stage: Stage, drills: Sequence[Drill]) -> None:
    """Have machines that nobody takes away, and that have something to write, and had before."""
    scene = stage.scene
    stage.fault(faults.OWNER_AWAY, *(place.node for place in scene.places))
    stage.order(CONVERSATIONS)
    if any(drill.needs_past for drill in drills):
        give_past(scene.prometheus, scene.find_process("prometheus"), tell)


def list_others(rules: Iterable[str], drills: Sequence[Drill]) -> list[Row]:
    """Return a row for each alert with a rule and without a drill: a miss, or known as none."""
    drilled = {expected.alert for drill in drills for expected in drill.expected}
    return [
        Row("", alert, note=f"not rehearsed: {NOT_REHEARSED[alert]}")
        if alert in NOT_REHEARSED
        else Row("", alert, is_miss=True, note="no fault of the rehearsal fires it")
        for alert in sorted(set(rules) - drilled)
    ]


def write(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell(line: str) -> None:
    """Print how far it is, beside the table."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
