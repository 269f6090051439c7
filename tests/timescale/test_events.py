"""Events: who may tell them, what becomes of them, and that none is told twice."""

from __future__ import annotations

import uuid

import pytest
from fix_fleet import fleet_error

RECORD = "SELECT fleet.record_event(%s, %s, %s, %s, %s)"
READ = "SELECT node, severity, kind, message FROM analytics.events ORDER BY time"
ENDED = ("warning", "program_ended", "The worker was killed by SIGKILL.")
CHECK = "23514"


def record(fleet, *, event=None, time=None, told=ENDED, user="alpha"):
    fleet.rows(RECORD, event or uuid.uuid4(), time, *told, user=user)


def test_node_tells_of_itself(fleet):
    """An event of a node's login has that node's name, whatever name it gives."""
    fleet.rows(
        "SELECT fleet.record_event(gen_random_uuid(), NULL, %s, %s, %s, 'beta')",
        *ENDED,
        user="alpha",
    )

    assert [dict(zip(("node", "severity", "kind", "message"), ("alpha", *ENDED), strict=True))] == (
        fleet.rows(READ)
    )


@pytest.mark.parametrize("node", [None, "beta"])
def test_others_tell_of_the_fleet_or_of_a_node(fleet, node):
    """Who is no node says which node is meant, or that it is the whole fleet."""
    fleet.rows("SELECT fleet.record_event(gen_random_uuid(), NULL, %s, %s, %s, %s)", *ENDED, node)

    assert [row["node"] for row in fleet.rows(READ)] == [node]


@pytest.mark.parametrize(
    "role", ["fleet_exporter", "fleet_worker", "fleet_master", "fleet_control"]
)
def test_every_program_may_tell(fleet, role):
    """Each role of a program of ours may tell events."""
    sql = "SELECT has_function_privilege(%s, p.oid, 'EXECUTE') FROM pg_proc p WHERE proname = %s"

    assert fleet.value(sql, role, "record_event")


def test_event_told_twice_is_one_row(fleet):
    """The id alone decides: a later second call changes nothing, whatever it says."""
    event = uuid.uuid4()
    record(fleet, event=event)
    record(fleet, event=event, told=("error", "program_ended", "Something else."))

    assert [row["message"] for row in fleet.rows(READ)] == [ENDED[2]]


def test_event_told_by_two_at_once_is_one_row(fleet):
    """Who tells an event while another transaction tells it waits, and adds nothing."""
    event = uuid.uuid4()
    with fleet.database.connect("alpha") as first, fleet.database.connect("alpha") as second:
        with first.transaction():
            first.execute(RECORD, [event, None, *ENDED])
            second.execute("SET statement_timeout = '100ms'")
            with fleet_error(sqlstate="57014"):
                second.execute(RECORD, [event, None, *ENDED])
        second.execute(RECORD, [event, None, *ENDED])

    assert len(fleet.rows(READ)) == 1


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2100-01-01 00:00:00+00", "now()"),
        (None, "now()"),
        ("1970-01-01 00:00:00+00", "now()"),
    ],
)
def test_time_of_a_wrong_clock_is_bounded(fleet, time, expected):
    """What stands in the future, before what is kept, or nowhere, stands where it is told."""
    record(fleet, time=time)

    off = f"SELECT abs(extract(epoch FROM time - ({expected}))) FROM analytics.events"
    assert fleet.value(off) < 60


def test_time_of_an_event_is_kept(fleet):
    """What is told an hour late stands where it happened."""
    time = fleet.value("SELECT now() - interval '1 hour'")
    record(fleet, time=time)

    assert fleet.value("SELECT time FROM analytics.events") == time


def test_message_is_one_bounded_line(fleet):
    """Line ends and terminal codes of what a server said become spaces; 500 characters are kept."""
    record(fleet, told=("info", "program_started", " a\n\x1b[31mb\t c " + "x" * 600))

    (row,) = fleet.rows(READ)
    assert row["message"].startswith("a [31mb c xxx")
    assert len(row["message"]) == 500


@pytest.mark.parametrize(
    ("told", "parts"),
    [
        (("fatal", "program_ended", "x"), ("unknown severity 'fatal'", "Use info, warning")),
        (("info", "Program ended", "x"), ("'Program ended' is no kind", "lower-case words")),
        (("info", None, "x"), ("NULL is no kind",)),
        (("info", "program_ended", " \n"), ("needs an id and a message", "one sentence")),
        (("info", "program_ended", None), ("needs an id and a message",)),
    ],
)
def test_bad_event_is_refused(fleet, told, parts):
    """What cannot be read later is refused, with the value and the remedy."""
    with fleet_error(*parts, sqlstate=CHECK):
        record(fleet, told=told)


def test_removed_node_tells_nothing(fleet):
    """A node that was removed may not write events any more."""
    fleet.rows("UPDATE fleet.nodes SET removed_at = now() WHERE node = 'alpha'")

    with fleet_error("belongs to no enrolled node", sqlstate="42501"):
        record(fleet)


def lead(fleet, master):
    fleet.rows("SELECT fleet.lead(%s)", master, user="fleet_master")


def told(fleet, *kinds):
    """(severity, node, message) of the events of these kinds, oldest first."""
    rows = fleet.rows("SELECT * FROM analytics.events ORDER BY time")
    return [(r["severity"], r["node"], r["message"]) for r in rows if r["kind"] in kinds]


def test_change_of_the_leader_is_told_once(fleet):
    """Each new leader is one event, with the end of the one before; keeping the lead is none."""
    first, second, third = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    for master in (first, first, second):
        lead(fleet, master)
    fleet.rows("UPDATE fleet.leader SET lease_until = now() - interval '1 s'")
    lead(fleet, second)
    fleet.rows("SELECT fleet.stop_leading(%s)", second, user="fleet_master")
    lead(fleet, third)

    assert told(fleet, "leader_changed", "node_failover") == [
        ("info", None, "A master leads now (term 1)."),
        (
            "warning",
            None,
            (
                "A standby master leads now (term 2): the one before it has not renewed its lease, "
                "which ended 1.0 s ago."
            ),
        ),
        ("info", None, "A master leads now (term 3); the one before it gave the lead up."),
    ]


def test_pause_and_resume_are_told_once(fleet):
    """Each change of the state is one event with person and reason; a repetition is none."""
    for state, reason in (("paused", "new card"), ("paused", "again"), ("running", "")):
        fleet.rows("SELECT fleet.set_fleet_state(%s, 'ada', %s)", state, reason)

    assert told(fleet, "fleet_paused", "fleet_resumed") == [
        ("info", None, "The fleet was paused by ada: new card"),
        ("info", None, "The fleet was resumed by ada."),
    ]


@pytest.mark.parametrize(
    ("take_back", "user", "why"),
    [
        ("SELECT fleet.sweep_tasks()", "fleet_owner", "the lease ended without a result"),
        ("SELECT fleet.return_own_tasks(gen_random_uuid())", "alpha", "the worker died"),
    ],
)
def test_task_taken_back_is_told_once(fleet, take_back, user, why):
    """A task whose worker did not give it back is one event of the node that held it."""
    job = fleet.submit()
    held = fleet.claim_one()
    fleet.let_leases_end()
    for _ in range(2):
        fleet.rows(take_back, user=user)

    message = (
        f"Task {held.row['task_id']} of job {job} was taken back from alpha: {why}. "
        "It waits for a worker and goes on after its last stored turn."
    )
    assert told(fleet, "task_taken_back") == [("warning", "alpha", message)]


def test_task_given_back_is_no_event(fleet):
    """What a worker gives back itself is its everyday work."""
    fleet.submit()
    fleet.claim_one().release()

    assert told(fleet, "task_taken_back") == []
