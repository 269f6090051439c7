"""
The sentences about programs: started, stopped on purpose, ended by itself or killed.

Pure; the ids follow from the facts, so that the same fact is never told twice.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_timescale.events import ERROR, INFO, WARNING, Event, derive_id, render_duration

if TYPE_CHECKING:
    from datetime import datetime

# As a sentence begins with them.
TITLES = {
    "postgres": "PostgreSQL",
    "prometheus": "Prometheus",
    "alertmanager": "Alertmanager",
    "grafana": "Grafana",
    "llm": "The model server",
    "mail": "The mail catcher",
    "exporter": "The exporter",
    "node": "The node agent",
    "worker": "The worker",
    "master": "The master",
    "control-api": "The control API",
    "twin": "The twin",
}


@dataclass(frozen=True)
class Run:
    """One process of a program on a node, from its start to its end."""

    node: str
    program: str
    pid: int | None = None  # None where nobody saw it start
    started_at: datetime | None = None

    def __str__(self) -> str:
        """Return the beginning of a sentence about it."""
        title = TITLES.get(self.program, f"The program {self.program}")
        process = f" (process {self.pid})" if self.pid is not None else ""
        return f"{title} on {self.node}{process}"


def started(run: Run, time: datetime) -> Event:
    """Return the event that it runs."""
    return _event(run, time, INFO, "program_started", "started")


def stopped(run: Run, time: datetime, *, is_forced: bool = False) -> Event:
    """Return the event that it was told to end; `is_forced`: it did not, and was killed."""
    force = "; it did not end by itself and was killed" if is_forced else ""
    return _event(run, time, INFO, "program_stopped", f"was stopped{_after(run, time)}{force}")


def ended(run: Run, time: datetime, how: str, *, was_up: bool) -> Event:
    """Return the event that it ended untold; `was_up` is False when it failed at its start."""
    follows = "it is started again" if was_up else "it does not stay up, and is tried again"
    severity = WARNING if was_up else ERROR
    return _event(run, time, severity, "program_ended", f"{how}{_after(run, time)}; {follows}")


def describe_exit(code: int) -> str:
    """Return how a process ended; a negative code is the number of a signal, as in subprocess."""
    if code >= 0:
        return f"ended with exit status {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _after(run: Run, time: datetime) -> str:
    if run.started_at is None:
        return ""
    return f" after {render_duration((time - run.started_at).total_seconds())}"


def _event(run: Run, time: datetime, severity: str, kind: str, what: str) -> Event:
    # A program cannot start or end twice at one time, so that a log read again tells nothing new.
    event_id = derive_id(run.node, run.program, kind, time.isoformat())
    return Event(event_id, time, severity, kind, f"{run} {what}.")
