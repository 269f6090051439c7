"""Write a diagnosis: aligned lines for people, JSON for programs. Pure."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

from fleet_exporters.diagnosis.finding import BROKEN, WARNING
from fleet_exporters.diagnosis.values import render_signal, render_values, split_unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet_exporters.diagnosis.finding import Diagnosis, Finding

WIDTH = 100
STATE_WIDTH = 9
LINES_MAX = 4  # a machine with forty disks; --json has all


def render(diagnosis: Diagnosis) -> str:
    """Return the report: sensors, activity signals, home, and one sentence on all of it."""
    blocks = (
        ("Sensors", diagnosis.sensors),
        ("Activity signals", diagnosis.signals),
        ("Home", diagnosis.home),
    )
    findings = [finding for _, part in blocks for finding in part]
    width = max((len(finding.name) for finding in findings), default=0) + 2
    lines = []
    for title, part in blocks:
        if part:
            lines += [title, *(line for finding in part for line in _describe(finding, width)), ""]
    return "\n".join([*lines, conclude(findings)])


def conclude(findings: Iterable[Finding]) -> str:
    """Return what matters most: what is broken, else what to look at."""
    by_state: dict[str, list[str]] = {}
    for finding in findings:
        by_state.setdefault(finding.state, []).append(finding.name)
    said = f"Broken: {', '.join(by_state[BROKEN])}." if BROKEN in by_state else "Nothing is broken."
    if WARNING in by_state:
        said += f" To look at: {', '.join(by_state[WARNING])}."
    return said


def _describe(finding: Finding, width: int) -> list[str]:
    """Return the lines of one finding: values or reason, then the command."""
    head = f"  {finding.name:<{width}}{finding.state:<{STATE_WIDTH}}"
    signals = [render_signal(name, value) for name, value in finding.signals.items()]
    said = [*render_values(finding.samples, finding.name), *signals, finding.reason]
    text = "; ".join(filter(None, said)) or "nothing yet; the running exporter finds it out"
    lines = textwrap.wrap(text, WIDTH - len(head), max_lines=LINES_MAX, placeholder=" … (--json)")
    if finding.by_hand:
        lines.append(f"$ {finding.by_hand}")
    indent = " " * len(head)
    return [(head if at == 0 else indent) + line for at, line in enumerate(lines)]


def render_json(diagnosis: Diagnosis) -> str:
    """Return everything for programs."""
    return json.dumps(
        {
            "healthy": diagnosis.is_healthy,
            "sensors": [_describe_fully(finding) for finding in diagnosis.sensors],
            "signals": [_describe_fully(finding) for finding in diagnosis.signals],
            "home": [_describe_fully(finding) for finding in diagnosis.home],
        },
        indent=2,
        ensure_ascii=False,
    )


def _describe_fully(finding: Finding) -> dict[str, object]:
    values = [
        {
            "metric": sample.name,
            "labels": dict(sample.labels),
            "value": sample.value,
            "unit": split_unit(sample.name)[1] or None,
        }
        for sample in finding.samples
    ]
    return {
        "name": finding.name,
        "state": finding.state,
        "reason": finding.reason or None,
        "by_hand": finding.by_hand or None,
        **({"values": values} if values else {}),
        **({"signals": dict(finding.signals)} if finding.signals else {}),
    }
