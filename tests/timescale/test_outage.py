"""Events as programs tell them: ids, durations, and the absence of the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from fleet_timescale.events import Event, Outage, derive_id, record, render_duration

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AWAY = psycopg.OperationalError("the server closed the connection unexpectedly")
ROWS = "SELECT time, node, severity, kind, message FROM analytics.events ORDER BY time"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def move(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def outage(clock):
    return Outage("The exporter on alpha", "its readings waited", clock)


@pytest.fixture
def node(fleet):
    return fleet.connection("alpha")


def test_id_follows_from_the_facts():
    """The same facts give the same id, in every process; others give another."""
    assert derive_id("alpha", 1) == derive_id("alpha", 1)
    assert derive_id("alpha", 1) != derive_id("alpha", 2)
    assert derive_id("a", "b") != derive_id("ab")


def test_recorded_event_is_committed(fleet):
    """An event stays, also when the transaction that comes after it is rolled back."""
    event = Event(derive_id("x"), START, "info", "program_started", "The exporter started.")
    connection = fleet.database.connect("alpha")
    connection.autocommit = False
    record(connection, event)
    connection.rollback()
    connection.close()

    assert fleet.value("SELECT message FROM analytics.events") == event.message


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0.0 s"), (0.44, "0.4 s"), (35.4, "35 s"), (720, "12 min"), (11100, "3 h 5 min")],
)
def test_duration_is_said_as_people_say_it(seconds, said):
    """Seconds, minutes or hours, whatever one would say."""
    assert render_duration(seconds) == said


def test_absence_is_told_once_it_is_over(fleet, clock, outage, node):
    """One event from the first error to the first answer, however many errors came between."""
    outage.end(node)
    clock.move(60)
    outage.begin(AWAY)
    clock.move(8)
    outage.begin(AWAY)
    outage.end(node)
    outage.end(node)

    assert fleet.rows(ROWS) == [
        {
            "time": START + timedelta(seconds=60),
            "node": "alpha",
            "severity": "warning",
            "kind": "database_away",
            "message": "The exporter on alpha had no database for 8.0 s, from 2026-03-01 12:01:00 "
            "to 2026-03-01 12:01:08 UTC; its readings waited.",
        }
    ]


def test_database_that_was_never_there_is_not_lost(fleet, outage, node):
    """A program that starts before the database tells nothing."""
    outage.begin(AWAY)
    outage.end(node)

    assert fleet.rows(ROWS) == []


@pytest.mark.parametrize("error", [psycopg.errors.DeadlockDetected, psycopg.errors.QueryCanceled])
def test_refusal_is_no_absence(fleet, outage, node, error):
    """A database that says no is there."""
    outage.end(node)
    outage.begin(error("no"))
    outage.end(node)

    assert fleet.rows(ROWS) == []


def test_second_thread_does_not_tell_it_again(fleet, clock, outage, node):
    """A thread that finds its own broken connection after the end tells of no new absence."""
    outage.end(node)
    outage.begin(AWAY)
    outage.end(node)
    clock.move(5)
    outage.begin(psycopg.errors.AdminShutdown("terminating connection"))
    outage.end(node)
    assert len(fleet.rows(ROWS)) == 1

    clock.move(60)
    outage.begin(AWAY)
    outage.end(node)
    assert len(fleet.rows(ROWS)) == 2


def test_absence_that_could_not_be_told_is_told_later(fleet, outage, node):
    """When the database goes again before it was told, the next connection tells it."""
    broken = fleet.database.connect("alpha")
    outage.end(node)
    outage.begin(AWAY)
    fleet.rows("SELECT pg_terminate_backend(%s, 5000)", broken.info.backend_pid)

    outage.end(broken)
    assert fleet.rows(ROWS) == []

    outage.end(node)
    assert len(fleet.rows(ROWS)) == 1
    broken.close()


def test_refused_event_harms_nobody(fleet, outage):
    """Where the event is refused, the program goes on and does not try for ever."""
    analyst = fleet.connection("fleet_analyst")
    outage.end(analyst)
    outage.begin(AWAY)
    outage.end(analyst)

    outage.end(fleet.connection("alpha"))

    assert fleet.rows(ROWS) == []
