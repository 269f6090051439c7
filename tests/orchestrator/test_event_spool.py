"""Events wait in a file of the home until they are told, and none is told twice."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from fleet_orchestrator.events.log_file import Position, read_lines
from fleet_orchestrator.events.spool import EventSpool
from fleet_timescale.events import Event

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MESSAGES = "SELECT node, message FROM analytics.events ORDER BY message"
KILLED = """\
2026-03-01 12:00:01,000 INFO spawned: 'node' with pid 77
2026-03-01 12:00:02,000 INFO success: node entered RUNNING state, process has stayed up
2026-03-01 12:00:36,000 WARN exited: node (terminated by SIGKILL; not expected)
"""
ENDED = (
    "The node agent on alpha (process 77) was killed by SIGKILL after 35 s; it is started again."
)
STARTED = "The node agent on alpha (process 77) started."


def event(number=0, **fields):
    told = {"severity": "info", "kind": "program_started", "message": f"Event {number}."}
    return Event(uuid.uuid4(), NOW, **{**told, **fields})


@pytest.fixture
def log(tmp_path):
    return tmp_path / "supervisord.log"


@pytest.fixture
def open_spool(tmp_path, log):
    """Open the spool of node alpha, as each start of the agent does."""
    return lambda: EventSpool(tmp_path / "events.json", "alpha", log)


@pytest.fixture
def node(fleet):
    return fleet.connection("alpha")


def messages(fleet):
    return [row["message"] for row in fleet.rows(MESSAGES)]


def test_event_is_told_once(fleet, open_spool, node):
    """What was told is forgotten."""
    spool = open_spool()
    spool.add(event())
    spool.tell(node)
    spool.tell(node)

    assert fleet.rows(MESSAGES) == [{"node": "alpha", "message": "Event 0."}]


def test_event_outlives_the_agent(fleet, open_spool, node):
    """What could not be told before a kill is told by the next agent."""
    open_spool().add(event())

    open_spool().tell(node)

    assert messages(fleet) == ["Event 0."]


def test_event_told_before_a_kill_is_not_told_again(fleet, open_spool, node, log, tmp_path):
    """Killed between the database and its file, the agent tells all again: nothing is new."""
    log.write_text(KILLED)
    spool = open_spool()
    spool.add(event())
    kept = (tmp_path / "events.json").read_bytes()
    spool.tell(node)
    (tmp_path / "events.json").write_bytes(kept)

    open_spool().tell(node)

    assert messages(fleet) == sorted(["Event 0.", STARTED, ENDED])


def test_event_waits_while_the_database_is_away(fleet, open_spool, node, log):
    """A broken connection loses neither what waited nor what the log says."""
    log.write_text(KILLED)
    spool = open_spool()
    spool.add(event())
    broken = fleet.database.connect("alpha")
    fleet.rows("SELECT pg_terminate_backend(%s, 5000)", broken.info.backend_pid)
    with pytest.raises(psycopg.OperationalError):
        spool.tell(broken)
    broken.close()
    assert messages(fleet) == []

    spool.tell(node)

    assert len(messages(fleet)) == 3


def test_refused_event_does_not_hold_up_the_others(fleet, open_spool, node):
    """What the database will never take is logged and forgotten."""
    spool = open_spool()
    spool.add(event(1, kind="No Kind"))
    spool.add(event(2))
    spool.tell(node)

    assert messages(fleet) == ["Event 2."]


@pytest.mark.parametrize(
    "content",
    ["", "{", '{"version": 1, "time": "2026-03-01T12:00:00+00:00", "waiting": [{}]}'],
)
def test_damaged_file_means_from_the_beginning(fleet, open_spool, node, log, content):
    """The log is read again; ids keep it from being told twice."""
    log.write_text(KILLED)
    open_spool().tell(node)
    log.with_name("events.json").write_text(content)

    open_spool().tell(node)

    assert messages(fleet) == sorted([STARTED, ENDED])


def test_run_is_known_to_the_next_agent(fleet, open_spool, node, log):
    """Read by one agent the start, by the next the end: the sentence has process and duration."""
    lines = KILLED.splitlines(keepends=True)
    log.write_text("".join(lines[:2]))
    open_spool().tell(node)
    log.write_text(KILLED)

    open_spool().tell(node)

    assert messages(fleet) == sorted([STARTED, ENDED])


def test_full_spool_loses_the_newest(fleet, open_spool, node, monkeypatch, caplog):
    """An outage of days under a crashing worker costs bounded room."""
    monkeypatch.setattr("fleet_orchestrator.events.spool.WAITING_MAX", 2)
    spool = open_spool()
    for number in range(3):
        spool.add(event(number))
    spool.tell(node)

    assert messages(fleet) == ["Event 0.", "Event 1."]
    assert caplog.messages == ["Too many events wait; one is lost."]


def test_full_disk_stops_nobody(fleet, open_spool, node, tmp_path, caplog):
    """Where the file cannot be written, events wait in memory."""
    spool = open_spool()
    (tmp_path / "events.json").mkdir()
    spool.add(event())
    spool.tell(node)

    assert messages(fleet) == ["Event 0."]
    assert "Events wait in memory only." in caplog.messages


def test_unreadable_log_stops_nobody(fleet, open_spool, node, log, caplog):
    """A log that cannot be read is said once, and other events are told."""
    log.mkdir()
    spool = open_spool()
    for number in range(2):
        spool.add(event(number))
        spool.tell(node)

    assert messages(fleet) == ["Event 0.", "Event 1."]
    assert caplog.messages.count("The supervisor's log cannot be read.") == 1


def test_half_a_line_waits_for_its_end(log):
    """Only whole lines are read."""
    log.write_text("one\ntw")
    lines, position = read_lines(log, Position())
    log.write_text("one\ntwo\n")

    assert lines == ["one"]
    assert read_lines(log, position)[0] == ["two"]


def test_rotated_log_is_read_to_its_end_first(log):
    """After the rotation comes the rest of the old file, then the new one."""
    log.write_text("one\n")
    _, position = read_lines(log, Position())
    with log.open("a") as file:
        file.write("two\n")
    log.rename(f"{log}.1")
    log.write_text("three\n")

    lines, position = read_lines(log, position)
    assert lines == ["two"]
    lines, position = read_lines(log, position)
    assert lines == ["three"]
    assert read_lines(log, position) == ([], position)


def test_long_log_is_read_in_pieces(log, monkeypatch):
    """Nothing is left out when there is more than one round reads."""
    monkeypatch.setattr("fleet_orchestrator.events.log_file.READ_BYTES", 10)
    log.write_text("one\ntwo\nthree\n")
    position, read = Position(), []
    while (found := read_lines(log, position))[0]:
        read += found[0]
        position = found[1]

    assert read == ["one", "two", "three"]


def test_shortened_and_missing_logs_are_read_from_the_beginning(log):
    """Whatever somebody does to the log, reading goes on."""
    assert read_lines(log, Position(1, 5)) == ([], Position(1, 5))
    log.write_text("one\ntwo\n")
    _, position = read_lines(log, Position())
    log.write_text("new\n")

    assert read_lines(log, position)[0] == ["new"]
    assert read_lines(log, Position(1, 5))[0] == ["new"]


class Renamed(type(Path())):
    """A log that is renamed between a look for it and its opening, the first time."""

    def open(self, *args, **rest):
        if not self.with_suffix(".renamed").exists():
            self.with_suffix(".renamed").touch()
            raise FileNotFoundError(str(self))
        return super().open(*args, **rest)


def test_log_that_is_rotated_meanwhile_is_read_in_the_next_round(fleet, tmp_path, node, log):
    """One unlucky look does not end the telling of what the log says."""
    log.write_text(KILLED)
    spool = EventSpool(tmp_path / "events.json", "alpha", Renamed(log))

    spool.tell(node)
    assert messages(fleet) == []
    spool.tell(node)

    assert messages(fleet) == [STARTED, ENDED]
