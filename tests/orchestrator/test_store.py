"""The way to the database when the database comes and goes."""

from __future__ import annotations

import threading
import uuid

import psycopg
import pytest
from fix_fleet import wait_until
from fleet_orchestrator.lease import Lease
from fleet_orchestrator.store import (
    AFTER_OUTAGE,
    DatabaseAwayError,
    LostLeaseError,
    Store,
    Task,
)
from fleet_timescale.events import Outage

AWAY = psycopg.OperationalError("the server does not answer")
TASK = Task(uuid.uuid4(), 1, "complaint", {}, 1, 6, 8, None, [])


def test_refused_task_is_a_lost_lease(fleet):
    """The database's refusal of a holder is LostLeaseError, and the connection lives on."""
    store = Store(lambda: fleet.database.connect("alpha"), uuid.uuid4())

    with pytest.raises(LostLeaseError, match="is not held by this worker"):
        store.finish(TASK, "tiny")
    before = store.rows("SELECT pg_backend_pid() AS pid")
    with pytest.raises(LostLeaseError):
        store.store_turn(TASK, 1, "agent", "Hello.")

    assert store.rows("SELECT pg_backend_pid() AS pid") == before
    store.close()


def test_broken_connection_is_made_again(fleet):
    """After the server ended the session, the next call has a new one."""
    store = Store(lambda: fleet.database.connect("alpha"), uuid.uuid4())
    (first,) = store.rows("SELECT pg_backend_pid() AS pid")
    fleet.rows("SELECT pg_terminate_backend(%s, 5000)", first["pid"])

    with pytest.raises(psycopg.OperationalError):
        store.counters()

    assert store.rows("SELECT pg_backend_pid() AS pid") != [first]
    store.close()


def test_absence_is_told_once_by_all_stores_of_a_worker(fleet):
    """Two threads lose their connections to the same absence: one event."""
    outage = Outage("The worker on alpha", AFTER_OUTAGE)
    stores = [
        Store(lambda: fleet.database.connect("alpha"), uuid.uuid4(), outage) for _ in range(2)
    ]
    for store in stores:
        (row,) = store.rows("SELECT pg_backend_pid() AS pid")
        fleet.rows("SELECT pg_terminate_backend(%s, 5000)", row["pid"])
    for store in stores:
        with pytest.raises(psycopg.OperationalError):
            store.counters()
        store.counters()
        store.close()

    (event,) = fleet.rows("SELECT node, kind, message FROM analytics.events WHERE kind !~ '^job_'")
    assert (event["node"], event["kind"]) == ("alpha", "database_away")
    assert event["message"].startswith("The worker on alpha had no database for ")


def test_insisting_outlives_an_absence():
    """An action is repeated until the database answers."""
    answers = [AWAY, "done"]

    def action():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    store = Store(lambda: None, uuid.uuid4())

    assert store.insist(action, lambda: True) == "done"


def test_insisting_ends_when_nobody_wants_the_result():
    """A worker that is told to stop does not wait for the database."""

    def action():
        raise AWAY

    store = Store(lambda: None, uuid.uuid4())

    with pytest.raises(DatabaseAwayError, match="did not come back"):
        store.insist(action, lambda: False)


def test_lost_lease_is_not_repeated():
    """Insisting is for a database that is away, not for one that says no."""

    def action():
        raise LostLeaseError

    with pytest.raises(LostLeaseError):
        Store(lambda: None, uuid.uuid4()).insist(action, lambda: True)


class FakeStore:
    """A store whose leases are answered by the test."""

    def __init__(self, answer):
        self.answer, self.asked, self.closed = answer, threading.Semaphore(0), False

    def extend(self, task_ids):
        self.asked.release()
        answer = self.answer()
        if isinstance(answer, Exception):
            raise answer
        return set(task_ids) if answer else set()

    def close(self):
        self.closed = True


def test_lease_is_extended_each_third_of_it():
    """It outlives its length as long as the database renews it."""
    store = FakeStore(lambda: True)

    with Lease(store, TASK, 0.3) as lease:
        for _ in range(4):
            assert store.asked.acquire(timeout=5)
        assert lease.is_held

    assert store.closed


def test_refused_lease_is_lost_at_once():
    """When the task is somebody else's, work stops before the lease would have ended."""
    store = FakeStore(lambda: False)

    with Lease(store, TASK, 30.0) as lease:
        lease.extend()

        assert not lease.is_held


def test_lease_ends_while_the_database_is_away():
    """Who cannot ask must stop when the lease ends, since others may have the task then."""
    store = FakeStore(lambda: AWAY)

    with Lease(store, TASK, 0.2) as lease:
        assert lease.is_held
        wait_until(lambda: not lease.is_held, "the lease is over")

    assert store.asked.acquire(timeout=0)


def test_lease_survives_a_short_absence():
    """One failed attempt to extend it is no loss yet."""
    answers = iter([AWAY, True, True, True, True, True])
    store = FakeStore(lambda: next(answers))

    with Lease(store, TASK, 0.3) as lease:
        for _ in range(4):
            assert store.asked.acquire(timeout=5)
        assert lease.is_held
