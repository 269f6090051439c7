"""Refused turns: counted, remembered, followed by a fresh start or a rejection, paid for in SQL."""

from __future__ import annotations

import uuid

import pytest
from fix_fleet import TURNS, fleet_error
from psycopg.types.json import Jsonb

OTHER = {"values": {"customer_name": "Keiko Petrov"}, "personal": ["customer_name"]}
SCRUBBED = [f"scrubbed {text}" for text in TURNS]
VIEW = "SELECT restart, position, try, reason FROM analytics.turn_tries ORDER BY time"


@pytest.fixture
def held(fleet):
    """A running task of node alpha."""
    fleet.submit()
    return fleet.claim_one().start()


def refuse(held, position=1, reason="cut_off", request=None, **fence):
    """Record a refused turn of seven tokens and two seconds."""
    held.call("record_try", request or uuid.uuid4(), position, reason, 7, 2.0, **fence)


def call(fleet, task, tokens, seconds):
    """Record a call to the model server."""
    fleet.rows(
        "SELECT fleet.record_llm_request(%s, %s, 'tiny', 100, %s, %s, 0.1, 'ok')",
        uuid.uuid4(), task, tokens, seconds, user="alpha",
    )  # fmt: skip


def reject(held, scrubbed=(), reason="cut_off"):
    """Store the turns so far as a rejected conversation."""
    verdict = (reason, "shape", "turn 1: [PII] and", b"x", list(scrubbed), "checks", 11, 13)
    return held.call("reject_task", "tiny", *verdict)


def test_try_is_counted_once(fleet, held):
    """A repeated call changes nothing; tries of a turn are numbered; the counter has each."""
    request = uuid.uuid4()

    refuse(held, request=request)
    refuse(held, request=request)
    refuse(held)
    refuse(held, position=2, reason="refusal")

    assert [tuple(row.values()) for row in fleet.rows(VIEW)] == [
        (0, 1, 1, "cut_off"), (0, 1, 2, "cut_off"), (0, 2, 1, "refusal"),
    ]  # fmt: skip
    assert fleet.counters("fleet_turn_tries_total") == {
        ("cut_off", "order_status"): 2, ("refusal", "order_status"): 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "fence",
    [{"worker": uuid.uuid4()}, {"attempt": 2}, {"node": "beta"}],
    ids=["worker", "attempt", "node"],
)
def test_others_are_kept_out(held, fence):
    """Only who holds the task refuses its turns, starts it over, or rejects it."""
    with fleet_error("not held by this worker", sqlstate="FL001"):
        refuse(held, **fence)
    with fleet_error("not held by this worker", sqlstate="FL001"):
        held.call("restart_task", 1, Jsonb(OTHER), **fence)
    with fleet_error("not held by this worker", sqlstate="FL001"):
        held.call("reject_task", "tiny", "cut_off", "shape", "x", b"x", [], "checks", 1, 1, **fence)


def test_start_tells_what_was_refused(fleet, held):
    """Who continues learns the tries of the next turn, and of all, those before a restart too."""
    refuse(held)
    held.call("restart_task", 1, Jsonb(OTHER))
    held.call("store_turn", 1, "agent", TURNS[0])
    refuse(held)
    refuse(held, position=2)
    held.release()
    again = fleet.claim_one()

    (row,) = fleet.rows(
        "SELECT * FROM fleet.start_task(%s, %s, %s, 1, %s)", *again.key, Jsonb({}), user="alpha"
    )

    assert (row["restarts"], row["tries"], row["turn_tries"]) == (1, 3, 1)
    assert row["persona"] == OTHER


def test_restart_drops_turns_and_people(fleet, held):
    """The draft is gone and another persona stands; a repeated call drops nothing more."""
    held.store()

    held.call("restart_task", 1, Jsonb(OTHER))
    held.call("store_turn", 1, "agent", TURNS[0])
    held.call("restart_task", 1, Jsonb(OTHER))

    assert fleet.task(held)["persona"] == OTHER
    assert fleet.value("SELECT count(*) FROM fleet.turns") == 1


@pytest.mark.parametrize("restarts", [2, 3])
def test_restart_beyond_the_setting_is_refused(held, restarts):
    """No more often than people allow, and one after the other."""
    if restarts == 2:
        held.call("restart_task", 1, Jsonb(OTHER))

    with fleet_error("cannot start over", "conversation_restarts_max", sqlstate="55000"):
        held.call("restart_task", restarts, Jsonb(OTHER))


def test_rejected_task_is_done(fleet, held):
    """Its turns so far are a rejected conversation with reason and evidence; nobody judges it."""
    held.store(TURNS[:2])

    made = reject(held, SCRUBBED[:2])

    assert reject(held, SCRUBBED[:2]) == made
    (row,) = fleet.rows("SELECT * FROM analytics.conversations")
    assert (row["conversation_id"], row["state"], row["turns"]) == (made, "rejected", 2)
    (why,) = fleet.rows("SELECT reason, stage, evidence FROM analytics.rejections")
    assert why == {"reason": "cut_off", "stage": "shape", "evidence": "turn 1: [PII] and"}
    turns = fleet.rows("SELECT text FROM analytics.turns ORDER BY position")
    assert [turn["text"] for turn in turns] == SCRUBBED[:2]
    assert fleet.task(held)["state"] == "done"
    assert fleet.counters("fleet_conversations_total") == {("rejected", "order_status"): 1}
    claim = "SELECT * FROM fleet.claim_judgements(%s, 9)"
    assert fleet.rows(claim, uuid.uuid4(), user="beta") == []


def test_conversation_without_turns_is_only_rejected(fleet, held):
    """Where no first turn passed only the reason is kept; such a task cannot be finished."""
    with fleet_error("has no turns", "reject", sqlstate="23514"):
        held.finish()

    reject(held)

    (row,) = fleet.rows("SELECT state, turns FROM analytics.conversations")
    assert row == {"state": "rejected", "turns": 0}


def test_rejection_needs_a_reason(held):
    """What no check refused is finished, not rejected."""
    with fleet_error("for no reason", "finish_task", sqlstate="23514"):
        reject(held, reason=None)


def test_conversation_has_its_whole_cost(fleet, held):
    """Tokens and seconds of every call for the task, those of refused turns among them."""
    task = held.row["task_id"]
    call(fleet, task, 7, 2.0)
    refuse(held)
    call(fleet, task, 30, 5.5)
    held.store(TURNS[:1])

    reject(held, SCRUBBED[:1])

    (row,) = fleet.rows("SELECT * FROM analytics.conversations")
    assert (row["tries"], row["completion_tokens"], row["generation_seconds"]) == (1, 37, 7.5)


def test_yield_has_what_was_paid_and_what_was_kept(fleet):
    """Calls that led to nothing are paid too: the sums are those of calls, verdicts and tries."""
    worker = uuid.uuid4()
    fleet.submit(count=3)
    kept, lost, given_back = fleet.claim(3, worker=worker)
    for held in (kept, lost, given_back):
        call(fleet, held.row["task_id"], 50, 10.0)
    refuse(lost.start())
    reject(lost)
    given_back.fail()
    made = kept.write()
    fleet.rows("SELECT * FROM fleet.claim_judgements(%s, 9)", worker, user="alpha")
    verdict = (made, worker, b"y", SCRUBBED)
    fleet.value(
        "SELECT fleet.store_verdict(%s, %s, NULL, NULL, NULL, %s, %s, 'checks', 13, 13)::text",
        *verdict, user="alpha",
    )  # fmt: skip

    rows = fleet.rows("SELECT * FROM analytics.yield_1h")

    assert sum(row["judged"] for row in rows) == 2
    assert sum(row["accepted"] for row in rows) == 1
    assert sum(row["completion_tokens"] for row in rows) == 150
    assert sum(row["generation_seconds"] for row in rows) == 30
    assert sum(row["tries"] for row in rows) == 1


def test_yield_outlives_the_calls(fleet):
    """Hours whose calls are no longer kept still have what was paid in them."""
    fleet.submit()
    call(fleet, fleet.claim_one().row["task_id"], 50, 10.0)
    earlier = "UPDATE telemetry.llm_requests SET time = time - interval '5 hours'"
    fleet.rows(earlier)
    fleet.rows("CALL telemetry.fill_levels('llm_requests', '-infinity', 'infinity')")
    fleet.rows("DELETE FROM telemetry.llm_requests")

    (row,) = fleet.rows("SELECT * FROM analytics.yield_1h")

    assert (row["completion_tokens"], row["generation_seconds"]) == (50, 10)
    hour = "SELECT date_trunc('hour', now() - interval '5 hours', 'UTC')"
    assert row["time"] == fleet.value(hour)
