"""
What supervisord's log says of programs.

The log is the one place that names signals, and it is there whether the database is or not. Pure;
the wording is that of supervisor 4, which we pin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleet_timescale.events import ERROR, Event, derive_id

from fleet_orchestrator.events.programs import Run, ended, started, stopped

if TYPE_CHECKING:
    from collections.abc import Mapping

LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) [A-Z]+ (.*)")
BEGIN = re.compile(r"supervisord started with pid \d+")
FACT = re.compile(r"(?P<what>spawned|success|stopped|exited): '?(?P<program>[^ ']+)'? (?P<rest>.*)")
PID = re.compile(r"with pid (\d+)")
ENDING = re.compile(r"\((.*); (?:not )?expected\)")
FORCED = "(terminated by SIGKILL)"


@dataclass(frozen=True)
class Programs:
    """What runs, as far as the log has been read."""

    node: str
    runs: Mapping[str, Run] = field(default_factory=dict)
    up: frozenset[str] = frozenset()  # those of `runs` that stayed up for a second

    def get(self, program: str) -> Run:
        """Return the run of a program; one of which the log does not tell the start has no pid."""
        return self.runs.get(program) or Run(self.node, program)

    def after_end(self, program: str) -> Programs:
        """Return what runs when this one does not any more."""
        runs = {name: run for name, run in self.runs.items() if name != program}
        return replace(self, runs=runs, up=self.up - {program})


def parse_line(line: str) -> tuple[datetime, str] | None:
    """Return time and text of a line; supervisord writes local time. None for any other line."""
    match = LINE.fullmatch(line)
    if match is None:
        return None
    local = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S,%f")  # noqa: DTZ007 - made aware below
    return local.astimezone(UTC), match[2]


def decide_event(programs: Programs, line: str) -> tuple[Programs, Event | None]:
    """Return what runs after a line, and what it tells."""
    time, text = parse_line(line) or (None, "")
    if time is None:
        return programs, None
    if BEGIN.fullmatch(text):
        return Programs(programs.node), _describe_lost_supervisor(programs, time)
    fact = FACT.fullmatch(text)
    return _follow(programs, time, fact) if fact else (programs, None)


def _follow(
    programs: Programs, time: datetime, fact: re.Match[str]
) -> tuple[Programs, Event | None]:
    program, rest = fact["program"], fact["rest"]
    run = programs.get(program)
    if fact["what"] == "spawned":
        pid = PID.fullmatch(rest)
        run = Run(programs.node, program, int(pid[1]) if pid else None, time)
        return replace(programs, runs={**programs.runs, program: run}), None
    if fact["what"] == "success":
        return replace(programs, up=programs.up | {program}), started(run, run.started_at or time)
    if fact["what"] == "stopped":
        event = stopped(run, time, is_forced=rest == FORCED)
        return programs.after_end(program), event
    ending = ENDING.fullmatch(rest)
    how = describe_ending(ending[1] if ending else "")
    return programs.after_end(program), ended(run, time, how, was_up=program in programs.up)


def describe_ending(words: str) -> str:
    """Return the words of supervisord as ours: killed by SIGKILL, ended with exit status 3."""
    if words.startswith("terminated by "):
        return f"was killed by {words.removeprefix('terminated by ')}"
    return f"ended with {words}" if words else "ended"


def _describe_lost_supervisor(programs: Programs, time: datetime) -> Event | None:
    """Return the event that a supervisor was lost: another one starts, and its programs ran."""
    if not programs.runs:
        return None
    message = (
        f"The supervisor on {programs.node} was lost without a word: it was killed, or the machine "
        f"was switched off. Its programs ({', '.join(sorted(programs.runs))}) are started again."
    )
    event_id = derive_id(programs.node, "supervisor", time.isoformat())
    return Event(event_id, time, ERROR, "program_ended", message)
