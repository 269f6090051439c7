"""Who speaks for a node: one machine at a time, and a copy of its disk is told of."""

from __future__ import annotations

import pytest

HOLD = "SELECT is_held, holder FROM fleet.hold_node(%s, %s)"
EVENTS = "SELECT node, severity, message FROM analytics.events WHERE kind = 'node_duplicated'"
MACHINE = "SELECT machine, machine_host FROM fleet.nodes WHERE node = 'alpha'"


@pytest.fixture
def hold(fleet):
    return lambda machine, node="alpha": fleet.rows(HOLD, machine, f"{machine}-host", user=node)[0]


def test_second_machine_is_refused_and_told_of_once(fleet, hold):
    """The first goes on, nothing of it is overwritten, and one event names both hosts."""
    assert hold("first")["is_held"]
    refusals = [hold("second"), hold("second")]

    assert refusals == [{"is_held": False, "holder": "first-host"}] * 2
    assert fleet.rows(MACHINE) == [{"machine": "first", "machine_host": "first-host"}]
    since = "SELECT now() - duplicated_at < interval '1 minute' FROM fleet.nodes WHERE node = %s"
    assert (fleet.value(since, "alpha"), fleet.value(since, "beta")) == (True, None)
    assert hold("first")["is_held"]
    (event,) = fleet.rows(EVENTS)
    assert (event["node"], event["severity"]) == ("alpha", "error")
    assert "first-host, which goes on, and second-host, which is refused" in event["message"]


def test_machine_after_a_reboot_takes_over(fleet, hold):
    """Another boot of the same disk speaks for the node once the one before is silent."""
    hold("before")
    fleet.rows("UPDATE fleet.nodes SET machine_seen_at = now() - interval '21 s'")

    assert hold("after")["is_held"]
    assert fleet.rows(EVENTS) == []


def test_nodes_are_held_apart(hold):
    """One machine may hold several nodes: each has its own home."""
    assert hold("one")["is_held"]
    assert hold("one", "beta")["is_held"]


def test_node_sees_its_own_standing(fleet, hold):
    """For `fleet status` on the machine: heartbeat, worker and holder of the calling node alone."""
    hold("one", "beta")
    fleet.rows("SELECT fleet.heartbeat('1', 'draining', 0)", user="beta")

    (row,) = fleet.rows("SELECT * FROM fleet.own_standing()", user="beta")

    assert row["heartbeat_at"] is not None
    assert (row["node"], row["worker_state"], row["machine"]) == ("beta", "draining", "one")
