"""
`fleet doctor [--json]`: what this machine's sensors say now, and why others say nothing.

Needs nothing but the machine: no database, no running exporter. What it cannot know of itself (the
home, who reads its mails) is handed in by the launcher.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_exporters.collectors import make_families
from fleet_exporters.diagnosis import report
from fleet_exporters.diagnosis.finding import Diagnosis, Finding
from fleet_exporters.diagnosis.sensors import examine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def main(
    argv: list[str],
    watched: Sequence[Path] = (),
    facts: Iterable[tuple[str, str, str]] = (),
) -> int:
    """
    Say what was found; exit code 1 when something that is there is broken.

    `watched` are paths whose file systems count besides `/`; `facts` are name, state (ok, warning,
    broken) and text of what the launcher has looked at.
    """
    parser = argparse.ArgumentParser(
        prog="fleet doctor", description="Say what the sensors of this machine find, and why not."
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args(argv)
    diagnosis = Diagnosis(
        sensors=tuple(examine(make_families([Path("/"), *watched]))),
        signals=(),
        home=tuple(Finding(*fact) for fact in facts),
    )
    render = report.render_json if arguments.json else report.render
    sys.stdout.write(render(diagnosis) + "\n")
    return 0 if diagnosis.is_healthy else 1
