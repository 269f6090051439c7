"""What a source of activity signals says, and what the exporter made of all of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from fleet_exporters.diagnosis.finding import (
    ABSENT,
    BROKEN,
    FOUND,
    OK,
    WARNING,
    Finding,
    explain,
)
from fleet_exporters.diagnosis.probe import Probe
from fleet_exporters.errors import NoDevice
from fleet_exporters.sinks.state import FILE, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fleet_exporters.signals.sources import Source

STALE_SECONDS = 30.0  # six ticks; an exporter that says nothing for so long has ended


def make_probes(sources: Iterable[Source]) -> list[Probe]:
    """Return one probe a source, in their order."""
    return [Probe(source.name, partial(look, source), source.by_hand) for source in sources]


def look(source: Source) -> Finding:
    """Ask a source once."""
    try:
        known = {key: value for key, value in asdict(source.read()).items() if value is not None}
    except NoDevice as exc:
        return Finding(source.name, ABSENT, str(exc), by_hand=source.by_hand)
    except Exception as exc:  # noqa: BLE001 - desktops answer as they like
        return Finding(source.name, BROKEN, explain(exc), by_hand=source.by_hand)
    reason = "" if known else "tells nothing now"
    return Finding(source.name, FOUND, reason, signals=known, by_hand=source.by_hand)


def read_verdict(directory: Path | None, now: datetime) -> Finding:
    """Return what the running exporter has decided last; absent when none has run here."""
    if directory is None:
        return Finding("verdict", ABSENT, "no exporter has run here yet")
    path = directory / FILE
    try:
        found = parse_verdict(path.read_text(encoding="utf-8"), now)
    except OSError as exc:
        found = Finding("verdict", ABSENT, f"no exporter runs here: {exc.strerror}")
    return Finding(found.name, found.state, found.reason, by_hand=f"cat {path}")


def parse_verdict(text: str, now: datetime) -> Finding:
    """Return the mode, how fast the worker may run, and why."""
    try:
        state = json.loads(text)
        if state["version"] != VERSION:
            return Finding("verdict", WARNING, f"{FILE} has version {state['version']}")
        age = (now - datetime.fromisoformat(state["time"])).total_seconds()
        said = f"{state['mode']}, factor {state['throttle_factor']:g}: {state['reason']}"
    except (ValueError, KeyError, TypeError) as exc:
        return Finding("verdict", WARNING, f"{FILE} is not as expected: {exc!r}")
    if age > STALE_SECONDS:
        return Finding("verdict", WARNING, f"{said}; that was {age:.0f} s ago, no exporter runs")
    return Finding("verdict", OK, said)
