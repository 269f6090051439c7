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
from fleet_exporters.decision.rules import RulesFile
from fleet_exporters.diagnosis import report, sensors, signals
from fleet_exporters.diagnosis.finding import WARNING, Diagnosis, Finding
from fleet_exporters.diagnosis.probe import examine
from fleet_exporters.settings import parse_monitor_url
from fleet_exporters.signals.executables import parse_list
from fleet_exporters.signals.sources import make_sources

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from fleet_exporters.sample import Read
    from fleet_exporters.signals.sources import Source


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
    monitor_url = parse_monitor_url(os.environ.get("FLEET_HARDWARE_MONITOR_URL", ""))
    families = make_families(
        [Path("/"), *watched], monitor_url=monitor_url, runtime_dir=runtime_dir
    )
    games = parse_list(os.environ.get("FLEET_GAME_EXECUTABLES", ""))
    sources = make_sources(games, lambda: read_own_ids(runtime_dir))
    diagnosis = diagnose(families, sources, runtime_dir, [Finding(*fact) for fact in facts])
    render = report.render_json if arguments.json else report.render
    sys.stdout.write(render(diagnosis) + "\n")
    return 0 if diagnosis.is_healthy else 1


def read_own_ids(runtime_dir: Path | None) -> Collection[int]:
    """Return which processes are ours, as the agent says; nobody knows before it has run."""
    return RulesFile(runtime_dir).read().process_ids if runtime_dir else ()


def diagnose(
    families: Mapping[str, Read],
    sources: Iterable[Source],
    runtime_dir: Path | None,
    home: Iterable[Finding],
) -> Diagnosis:
    """Look at all sensors and signals at once."""
    probes = sensors.make_probes(families)
    found = examine([*probes, *signals.make_probes(sources)])
    verdict = signals.read_verdict(runtime_dir, datetime.now(UTC))
    held_back = RulesFile(runtime_dir).read().held_back if runtime_dir else ""
    stored = [Finding("readings", WARNING, f"are not stored: {held_back}")] if held_back else []
    return Diagnosis(
        sensors=tuple(found[: len(probes)]),
        signals=(*found[len(probes) :], verdict),
        home=(*home, *stored),
    )
