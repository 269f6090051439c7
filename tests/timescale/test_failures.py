"""Who is at fault: failures that count, failures that do not, dead letters, circuits."""

from __future__ import annotations

import pytest

FAILURES = "SELECT node, attempt, kind, message, counts FROM analytics.task_failures ORDER BY time"


def test_failure_is_kept_with_what_the_server_said(fleet):
    """Task, node, attempt, kind and sentence of a failure; nobody is blamed yet."""
    fleet.submit()
    held = fleet.claim_one()

    held.fail("the model server answered 503", kind="http_error")

    assert fleet.rows(FAILURES) == [
        {
            "node": "alpha",
            "attempt": 1,
            "kind": "http_error",
            "message": "the model server answered 503",
            "counts": None,
        }
    ]
    assert (fleet.task(held)["state"], fleet.task(held)["failures"]) == ("pending", 0)


def test_failed_task_is_for_another_node_first(fleet):
    """The node at which it failed does not claim it again before it has shown that it can write."""
    fleet.submit()
    fleet.claim_one().fail()

    assert fleet.claim() == []
    assert len(fleet.claim(node="beta")) == 1


def test_finished_task_makes_earlier_failures_count(fleet):
    """A node that writes another conversation could have written this one: the task is at fault."""
    fleet.submit(count=2)
    failed = fleet.claim_one()
    failed.fail()

    fleet.claim_one().write()

    assert fleet.task(failed)["failures"] == 1
    assert [row["counts"] for row in fleet.rows(FAILURES)] == [True]
    assert fleet.claim_one().key[0] == failed.key[0]


def test_what_a_sick_node_breaks_never_counts(fleet):
    """A node whose canary call fails too was at fault itself; its tasks are as new."""
    fleet.submit(count=3)
    for _ in range(3):
        fleet.claim_one().fail()

    assert fleet.decide(can_write=False) == 3
    assert fleet.decide(can_write=True) == 0

    assert {row["counts"] for row in fleet.rows(FAILURES)} == {False}
    assert fleet.value("SELECT max(failures) FROM analytics.tasks") == 0


def test_one_node_decides_nothing_of_another(fleet):
    """That alpha can write says nothing of what failed at beta."""
    fleet.submit(count=2)
    failed = fleet.claim_one("beta")
    failed.fail()

    fleet.claim_one().write()

    assert fleet.task(failed)["failures"] == 0


def test_third_counted_failure_is_a_dead_letter(fleet):
    """After task_attempts_max of them a task is failed, counted, and an event says why."""
    fleet.submit()
    for _ in range(3):
        held = fleet.claim_one()
        held.fail("the model writes rhymes")
        fleet.decide(can_write=True)

    assert fleet.task(held)["state"] == "failed"
    assert fleet.counters("fleet_conversations_total") == {("failed", "order_status"): 1}
    told = "SELECT node, severity, message FROM analytics.events WHERE kind = 'task_failed'"
    (event,) = fleet.rows(told)
    assert (event["node"], event["severity"]) == ("alpha", "error")
    assert "3 times and is given up: the model writes rhymes" in event["message"]


def test_two_nodes_are_enough_for_a_dead_letter(fleet):
    """What fails at two nodes that can both write fails everywhere."""
    fleet.submit()
    for node in ("alpha", "beta"):
        held = fleet.claim_one(node)
        held.fail()
        fleet.decide(can_write=True, node=node)

    assert fleet.task(held)["state"] == "failed"


def test_task_in_other_hands_is_not_given_up(fleet):
    """While another node writes it, a task's failures count but do not end it."""
    fleet.set("task_attempts_max", 1)
    fleet.submit()
    fleet.claim_one().fail()
    other = fleet.claim_one("beta")

    fleet.decide(can_write=True)

    assert fleet.task(other)["failures"] == 1
    assert other.write()


@pytest.mark.parametrize("can_write", [True, False])
def test_open_failures_end_when_they_are_decided(fleet, can_write):
    """The worker asks whether a canary call is of use; after it, it is not."""
    ask = "SELECT fleet.has_open_failures()"
    fleet.submit()
    assert not fleet.value(ask, user="alpha")
    fleet.claim_one().fail()
    assert (fleet.value(ask, user="alpha"), fleet.value(ask, user="beta")) == (True, False)

    fleet.decide(can_write=can_write)

    assert not fleet.value(ask, user="alpha")


def test_circuit_tells_each_change_once(fleet):
    """Opening and closing are events and stand at the node; what is repeated is not told again."""
    set_circuit = "SELECT fleet.set_circuit(%s, %s)"
    opened = "SELECT llm_circuit_opened_at IS NOT NULL FROM analytics.nodes WHERE node = 'alpha'"

    for _ in range(2):
        fleet.rows(set_circuit, True, "it answers with a login page", user="alpha")
    assert fleet.value(opened)
    for _ in range(2):
        fleet.rows(set_circuit, False, "it answers again", user="alpha")
    assert not fleet.value(opened)

    events = fleet.rows("SELECT node, kind, message FROM analytics.events ORDER BY time")
    assert [tuple(event.values()) for event in events] == [
        ("alpha", "llm_circuit_opened", "it answers with a login page"),
        ("alpha", "llm_circuit_closed", "it answers again"),
    ]


def test_conversation_written_elsewhere_proves_nothing(fleet):
    """Who only finishes what another node wrote has not shown that it can write."""
    fleet.submit(count=2)
    written, other = fleet.claim(2, "beta")
    written.start().store().release()
    other.release()
    finished, failed = fleet.claim(2)
    failed.fail()

    finished.start().finish()

    assert fleet.task(failed)["failures"] == 0
    assert [row["counts"] for row in fleet.rows(FAILURES)] == [None]


def test_request_that_reached_nobody_is_no_fault_of_its_task(fleet):
    """A server that was away for a moment costs no task anything, though it answers again."""
    fleet.submit()
    held = fleet.claim_one()
    held.fail("the model server cannot be reached", kind="unreachable")

    fleet.decide(can_write=True)

    assert [row["counts"] for row in fleet.rows(FAILURES)] == [False]
    assert fleet.task(held)["failures"] == 0
    assert fleet.claim_one().write()


def test_two_open_failures_of_a_task_at_a_node_are_both_decided(fleet):
    """Two machines with one login are a mistake, but one that must not stop the node for ever."""
    fleet.submit(count=2)
    failed = fleet.claim_one()
    failed.fail("first")
    fleet.rows(
        "INSERT INTO fleet.task_failures SELECT task_id, 2, node, clock_timestamp(), kind, 'second'"
        " FROM fleet.task_failures"
    )

    fleet.claim_one().write()

    assert fleet.task(failed)["failures"] == 2
    assert [row["counts"] for row in fleet.rows(FAILURES)] == [True, True]


def test_paused_fleet_asks_no_canary(fleet):
    """While the fleet is paused nothing waits for a node to show that it can write."""
    ask = "SELECT fleet.has_open_failures()"
    set_state = "SELECT fleet.set_fleet_state(%s, 'tests', 'why')"
    fleet.submit()
    fleet.claim_one().fail()

    fleet.rows(set_state, "paused")
    assert not fleet.value(ask, user="alpha")

    fleet.rows(set_state, "running")
    assert fleet.value(ask, user="alpha")
