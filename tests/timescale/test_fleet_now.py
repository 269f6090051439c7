"""What the fleet does now, in words that people read from across the room."""

from __future__ import annotations

import pytest

NOW = "SELECT * FROM analytics.fleet_now"


@pytest.fixture
def led(fleet):
    """A fleet that a master leads, with alpha online."""
    fleet.rows("UPDATE fleet.leader SET lease_until = now() + interval '1 hour'")
    fleet.beat("alpha")
    return fleet


def headline(fleet):
    (row,) = fleet.rows(NOW, user="fleet_grafana")
    return row["state"], row["headline"]


def set_state(fleet, state):
    fleet.rows("SELECT fleet.set_fleet_state(%s, 'ada', 'lunch')", state)


def test_no_work_is_idle(led):
    """Nothing ordered, nothing to write."""
    assert headline(led) == ("idle", "Idle: nothing to write")


def test_work_that_nobody_does_is_waiting(led):
    """Also before the master has split the job."""
    led.value("SELECT fleet.submit_job('order_status', 3, 'tests')")

    assert headline(led) == ("waiting", "Waiting: nobody writes")


def test_claimed_work_is_writing(led):
    """Who writes how much, and what waits."""
    led.submit(count=3)
    led.claim_one().start()

    (row,) = led.rows(NOW)
    assert (row["state"], row["headline"]) == ("writing", "Writing")
    assert (row["conversations_writing"], row["conversations_waiting"]) == (1, 2)
    assert row["nodes_writing"] == 1
    assert row["explanation"] == (
        "Conversations: 1 being written, 2 waiting. Nodes: 1 writing, 1 missing"
    )


def test_paused_work_is_no_work(led):
    """What a paused job holds is told, and does not wait."""
    job = led.submit(count=3)
    led.rows("SELECT fleet.pause_job(%s)", job)

    (row,) = led.rows(NOW)
    assert (row["state"], row["conversations_held"]) == ("idle", 3)
    assert "3 in paused jobs" in row["explanation"]


def test_pause_names_who_did_it(led):
    """Also while work waits."""
    led.submit()
    set_state(led, "paused")

    assert headline(led) == ("paused", "Paused by ada")


@pytest.mark.parametrize("state", ["running", "paused"])
def test_lack_of_a_master_is_a_fault(fleet, state):
    """It goes before what people wanted."""
    set_state(fleet, state)

    assert headline(fleet) == ("no_master", "No master")


def test_emergency_stop_goes_before_all(fleet):
    """With how many have obeyed."""
    fleet.rows("SELECT fleet.emergency_stop('ada', 'smoke')")

    (row,) = fleet.rows(NOW)
    assert (row["state"], row["headline"]) == ("stopped", "EMERGENCY STOP")
    assert row["explanation"].startswith("0 of 2 nodes have stopped. ")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("worker_state = 'stopped'", "1 told to stop"),
        ("llm_circuit_opened_at = now()", "1 whose model server fails"),
        ("is_expected = true", "1 free"),
        ("last_heartbeat_at = now() - interval '1 hour'", "2 missing"),
    ],
)
def test_machines_that_do_not_write_have_a_reason(led, change, told):
    """Each machine is counted once, by what keeps it from writing."""
    led.rows(f"UPDATE fleet.nodes SET {change} WHERE node = 'alpha'")

    (row,) = led.rows(NOW)
    assert told in row["explanation"]


def test_written_conversations_wait_for_their_verdict(led):
    """Idle machines may still have to judge."""
    led.write()

    (row,) = led.rows(NOW)
    assert (row["state"], row["conversations_unjudged"]) == ("idle", 1)
