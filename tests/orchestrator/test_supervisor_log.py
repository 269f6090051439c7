"""What the supervisor's log tells of programs, line by line and from the real supervisord."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from fix_fleet import wait_until
from fleet_orchestrator.events.supervisor_log import Programs, decide_event, parse_line

DAY = "2026-03-01 12:00"
BEGIN = f"{DAY}:00,000 INFO supervisord started with pid 70"
SPAWNED = f"{DAY}:01,250 INFO spawned: 'node' with pid 77"
NODE = "The node agent on alpha (process 77)"
TRIED_AGAIN = "it does not stay up, and is tried again."
UP = (
    f"{DAY}:02,300 INFO success: node entered RUNNING state, process has stayed up for > than 1 "
    "seconds (startsecs)"
)


def read(*lines, node="alpha"):
    """Return (severity, kind, message) of the events that these lines tell, and what runs then."""
    programs, told = Programs(node), []
    for line in lines:
        programs, event = decide_event(programs, line)
        told += [event] if event else []
    return told, programs


def tell(*lines):
    return [(event.severity, event.kind, event.message) for event in read(*lines)[0]]


def test_program_that_stays_up_has_started():
    """The start is told once the program has stayed up, with the time at which it began."""
    told, programs = read(BEGIN, SPAWNED)
    assert (told, list(programs.runs)) == ([], ["node"])

    (event,), _ = read(BEGIN, SPAWNED, UP)
    assert event.message == f"{NODE} started."
    assert (event.severity, event.kind) == ("info", "program_started")
    assert event.time == parse_line(SPAWNED)[0]


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("terminated by SIGKILL; not expected", "was killed by SIGKILL"),
        (
            "terminated by SIGSEGV (core dumped); not expected",
            "was killed by SIGSEGV (core dumped)",
        ),
        ("exit status 3; not expected", "ended with exit status 3"),
        ("exit status 0; expected", "ended with exit status 0"),
    ],
)
def test_program_that_ended_is_told_with_its_reason(ending, said):
    """The signal by name, or the exit status, how long it ran, and what follows."""
    line = f"{DAY}:36,250 WARN exited: node ({ending})"

    assert tell(BEGIN, SPAWNED, UP, line)[1:] == [
        (
            "warning",
            "program_ended",
            f"{NODE} {said} after 35 s; it is started again.",
        )
    ]


def test_program_that_does_not_come_up_is_an_error():
    """What ends before it was up for a second is tried again, and somebody has to look."""
    line = f"{DAY}:01,650 WARN exited: node (exit status 1; not expected)"

    assert tell(BEGIN, SPAWNED, line) == [
        (
            "error",
            "program_ended",
            f"{NODE} ended with exit status 1 after 0.4 s; {TRIED_AGAIN}",
        )
    ]


@pytest.mark.parametrize(
    ("ending", "force"),
    [
        ("exit status 0", ""),
        ("terminated by SIGTERM", ""),
        ("terminated by SIGKILL", "; it did not end by itself and was killed"),
    ],
)
def test_program_that_was_stopped_is_no_trouble(ending, force):
    """What ended because it was told to is an info, also when it had to be forced."""
    line = f"{DAY}:36,250 INFO stopped: node ({ending})"

    assert tell(BEGIN, SPAWNED, UP, line)[1:] == [
        (
            "info",
            "program_stopped",
            f"{NODE} was stopped after 35 s{force}.",
        )
    ]


def test_supervisor_that_was_killed_is_told_by_the_next():
    """A supervisor that begins while programs ran has lost its predecessor, and they theirs."""
    told, programs = read(BEGIN, SPAWNED, UP, BEGIN)

    assert told[1].message == (
        "The supervisor on alpha was lost without a word: it was killed, or the machine was "
        "switched off. Its programs (node) are started again."
    )
    assert (told[1].severity, programs.runs) == ("error", {})


def test_supervisor_after_a_clean_end_tells_nothing():
    """After `down` nothing ran."""
    stopped = f"{DAY}:36,250 INFO stopped: node (exit status 0)"

    assert len(tell(BEGIN, SPAWNED, UP, stopped, BEGIN)) == 2


def test_program_whose_start_was_not_seen_is_told_without_its_process():
    """Where the log begins in the middle, what can be said is said."""
    line = f"{DAY}:36,250 WARN exited: strange (terminated by SIGKILL; not expected)"

    assert [message for *_, message in tell(line)] == [
        f"The program strange on alpha was killed by SIGKILL; {TRIED_AGAIN}"
    ]


def test_log_read_again_gives_the_same_events():
    """Ids follow from the lines, whatever was known when they were read."""
    line = f"{DAY}:36,250 WARN exited: node (terminated by SIGKILL; not expected)"
    first, _ = read(BEGIN, SPAWNED, UP, line)
    again, _ = read(line)
    elsewhere, _ = read(line, node="beta")

    assert first[-1].event_id == again[0].event_id != elsewhere[0].event_id


@pytest.mark.parametrize(
    "line", ["", "Traceback (most recent call last):", f"{DAY}:00,000 INFO Set uid to user 0"]
)
def test_other_lines_tell_nothing(line):
    """Whatever else stands in the log is passed over."""
    assert tell(line) == []


def test_time_is_local():
    """supervisord writes the time of its own zone."""
    time, text = parse_line(f"{DAY}:01,250 INFO x")

    assert (f"{time.astimezone():%Y-%m-%d %H:%M:%S.%f}", text) == (f"{DAY}:01.250000", "x")


@pytest.fixture
def supervisord(tmp_path):
    """The real one with a program that sleeps; yields its log."""
    (tmp_path / "s.conf").write_text(
        f"[supervisord]\nnodaemon=true\nsilent=true\nlogfile={tmp_path}/s.log\n"
        f"pidfile={tmp_path}/s.pid\nchildlogdir={tmp_path}\n"
        "[program:mail]\ncommand=sleep 1000\nautorestart=true\nstartsecs=0\n"
    )
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(tmp_path / "s.conf")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    yield tmp_path / "s.log"
    process.terminate()
    process.wait(10)


def test_real_supervisor_is_understood(supervisord):
    """A program killed under the supervisord that we pin: start, end by SIGKILL, start again."""

    def told():
        lines = supervisord.read_text().splitlines() if supervisord.exists() else []
        return read(*lines)

    (pid,) = wait_until(lambda: [run.pid for run in told()[1].runs.values()], "the program runs")
    wait_until(lambda: told()[0], "its start")
    os.kill(pid, signal.SIGKILL)

    wait_until(lambda: len(told()[0]) == 3, "its end and its next start")
    first, end, second = told()[0]
    assert first.message == f"The mail catcher on alpha (process {pid}) started."
    assert end.message.startswith(
        f"The mail catcher on alpha (process {pid}) was killed by SIGKILL"
    )
    assert second.kind == "program_started"
