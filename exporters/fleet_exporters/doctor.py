"""
`fleet doctor [--json]`: what this machine's sensors and activity signals say now, and why not.

Needs nothing but the machine: no database, no running exporter. What it cannot know of itself (the
home, who reads its mails) is handed in by the launcher.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_exporters.collectors import make_families
from fleet_exporters.diagnosis import report, sensors, signals
from fleet_exporters.diagnosis.finding import Diagnosis, Finding
from fleet_exporters.diagnosis.probe import examine
from fleet_exporters.rules import RulesFile
from fleet_exporters.signals.executables import parse_list
from fleet_exporters.signals.sources import make_sources

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


def main(
    argv: list[str],
    watched: Sequence[Path] = (),
    runtime_dir: Path | None = None,
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
    games = parse_list(os.environ.get("FLEET_GAME_EXECUTABLES", ""))
    diagnosis = diagnose(watched, runtime_dir, games, [Finding(*fact) for fact in facts])
    render = report.render_json if arguments.json else report.render
    sys.stdout.write(render(diagnosis) + "\n")
    return 0 if diagnosis.is_healthy else 1


def diagnose(
    watched: Sequence[Path], runtime_dir: Path | None, games: frozenset[str], home: list[Finding]
) -> Diagnosis:
    """Look at all sensors and signals at once."""

    def read_own_ids() -> Collection[int]:
        return RulesFile(runtime_dir).read().process_ids if runtime_dir else ()

    families = sensors.make_probes(make_families([Path("/"), *watched]))
    sources = signals.make_probes(make_sources(games, read_own_ids))
    found = examine([*families, *sources])
    verdict = signals.read_verdict(runtime_dir, datetime.now(UTC))
    return Diagnosis(
        sensors=tuple(found[: len(families)]),
        signals=(*found[len(families) :], verdict),
        home=tuple(home),
    )
