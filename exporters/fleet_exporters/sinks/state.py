"""Tell the worker, at each tick, how fast it may run: state.json in the runtime directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_exporters.sample import Tick

FILE = "state.json"
VERSION = 1


def render(tick: Tick) -> str:
    """Return the file's content; `time` lets the worker see that the exporter is silent."""
    verdict = tick.verdict
    return json.dumps(
        {
            "version": VERSION,
            "time": tick.time.isoformat(),
            "mode": verdict.mode,
            "throttle_factor": verdict.throttle_factor,
            "reason": verdict.reason,
            "temperatures": dict(verdict.temperatures),
            "must_cut": verdict.must_cut,
            "limits": list(verdict.limits),
            "signals": dict(verdict.signals),
        }
    )


class StateFile:
    """Replaces the file as a whole, so that a reader never sees half of it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._draft = directory / f".{FILE}.new"

    def publish(self, tick: Tick) -> None:
        """Write the state; not synced to disk, since a state of before a crash is worth nothing."""
        self._draft.write_text(render(tick), encoding="utf-8")
        self._draft.replace(self._path)
