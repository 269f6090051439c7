"""Claiming, fencing, leases and the ways in which a task ends."""

from __future__ import annotations

import threading
import uuid

import pytest
from fix_fleet import TURNS, fleet_error
from psycopg.types.json import Jsonb

LOST = "FL001"  # not held by this worker at this attempt


def test_higher_priority_is_claimed_first(fleet):
    """Priority goes before the rank of submission, and rank before the position in the job."""
    early = fleet.submit(count=2)
    urgent = fleet.submit(priority=9)
    late = fleet.submit()

    order = [fleet.task(held) for held in fleet.claim(4)]

    assert [(task["job_id"], task["position"]) for task in order] == [
        (urgent, 1),
        (early, 1),
        (early, 2),
        (late, 1),
    ]


def test_claim_brings_all_that_writing_needs(fleet):
    """A claim has the scenario, the limits of the order, the attempt, and no turns at first."""
    fleet.submit("lab_results", min_turns=4, max_turns=12)

    row = fleet.claim_one().row

    assert (row["scenario"], row["min_turns"], row["max_turns"]) == ("lab_results", 4, 12)
    assert (row["attempt"], row["persona"], row["turns"]) == (1, None, [])
    assert row["definition"]["goal"]


def test_eight_workers_claim_each_task_once(fleet):
    """Many claims at once give every task to exactly one worker."""
    fleet.submit(count=100)
    claimed, lock = [], threading.Lock()
    barrier = threading.Barrier(8)

    def claim(node):
        worker = uuid.uuid4()
        with fleet.database.connect(node) as connection:
            barrier.wait(10)
            while rows := connection.execute(
                "SELECT task_id FROM fleet.claim_tasks(%s, 3)", [worker]
            ).fetchall():
                with lock:
                    claimed.extend(row["task_id"] for row in rows)

    threads = [threading.Thread(target=claim, args=(("alpha", "beta")[n % 2],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(claimed) == len(set(claimed)) == 100


@pytest.mark.parametrize(
    "forged",
    [{"worker": uuid.uuid4()}, {"attempt": 0}, {"attempt": 2}, {"node": "beta"}],
    ids=["another worker", "older attempt", "later attempt", "login of another node"],
)
@pytest.mark.parametrize(
    ("function", "rest"),
    [
        ("start_task", (1, Jsonb({}))),
        ("store_turn", (5, "agent", "Hello.")),
        ("finish_task", ("tiny",)),
        ("release_task", ("bad_answer", "broken")),
    ],
    ids=["start", "store", "finish", "release"],
)
def test_only_the_holder_writes(fleet, forged, function, rest):
    """Whoever is not worker, attempt and node of the claim is refused, and nothing changes."""
    fleet.submit()
    held = fleet.claim_one().start().store()
    before = fleet.task(held)

    with fleet_error("is not held by this worker", "drop the work", sqlstate=LOST):
        held.call(function, *rest, **forged)

    assert fleet.task(held) == before
    assert fleet.value("SELECT count(*) FROM fleet.turns") == len(TURNS)


def test_stored_turn_stays_as_it_was(fleet):
    """A repeated store_turn changes nothing, whatever text it brings."""
    fleet.submit()
    held = fleet.claim_one().start()

    held.call("store_turn", 1, "agent", "Hello, how may I help you?")
    held.call("store_turn", 1, "customer", "Another text.")

    (turn,) = fleet.rows("SELECT speaker, text FROM fleet.turns")
    assert turn == {"speaker": "agent", "text": "Hello, how may I help you?"}


def test_finishing_twice_gives_the_same_conversation(fleet):
    """A worker whose answer was lost asks again and gets what it has."""
    fleet.submit()
    held = fleet.claim_one()

    assert held.write() == held.finish()
    assert fleet.value("SELECT count(*) FROM fleet.conversations") == 1


def test_finished_conversation_has_the_sums_of_its_task(fleet):
    """Turns are counted and tokens summed over all calls of the task, failed ones included."""
    fleet.submit()
    held = fleet.claim_one().start().store()
    for outcome in ("error", "ok"):
        fleet.rows(
            "SELECT fleet.record_llm_request(%s, %s, 'tiny', 100, 20, 1, 0.1, %s)",
            uuid.uuid4(), held.row["task_id"], outcome, user="alpha",
        )  # fmt: skip

    made = held.finish()

    (row,) = fleet.rows("SELECT * FROM fleet.conversations WHERE conversation_id = %s", made)
    assert (row["turns"], row["prompt_tokens"], row["completion_tokens"]) == (4, 200, 40)
    assert (row["state"], row["node"], row["model"]) == ("unjudged", "alpha", "tiny")
    assert fleet.task(held)["state"] == "done"


@pytest.mark.parametrize(("told", "total"), [((100, None), 100), ((None, None), None)])
def test_prompt_tokens_are_summed_as_far_as_they_are_told(fleet, told, total):
    """A call that did not tell adds nothing; where none did, the sum is unknown."""
    fleet.submit()
    held = fleet.claim_one().start().store()
    for tokens in told:
        fleet.rows(
            "SELECT fleet.record_llm_request(%s, %s, 'tiny', %s, 20, 1, 0.1, 'ok')",
            uuid.uuid4(), held.row["task_id"], tokens, user="alpha",
        )  # fmt: skip

    made = held.finish()

    sql = "SELECT prompt_tokens FROM fleet.conversations WHERE conversation_id = %s"
    assert fleet.value(sql, made) == total


@pytest.mark.parametrize(
    ("cached", "events"),
    [
        ([0, 0, 0, 0], 1),
        ([100, 9, 9, 9], 1),
        ([0, 10, 10, 10], 0),
        ([0, 0, 0], 0),
        ([None] * 4, 0),
        ([0, None, 0, 0], 0),
    ],
    ids=["never", "hardly", "a tenth", "too few calls", "untold", "too few told"],
)
def test_cache_that_never_hits_is_an_event(fleet, cached, events):
    """Told when a conversation is stored, once a day: what a call has read, the next one needs."""
    fleet.submit(count=2)
    for _ in range(2):
        held = fleet.claim_one().start().store()
        for tokens in cached:
            fleet.rows(
                "SELECT fleet.record_llm_request(%s, %s, 'tiny', 100, 20, 1, 0.1, 'ok', %s)",
                uuid.uuid4(), held.row["task_id"], tokens, user="alpha",
            )  # fmt: skip
        held.finish()

    rows = fleet.rows("SELECT * FROM analytics.events WHERE kind = 'llm_cache_missed'")
    assert [row["node"] for row in rows] == ["alpha"] * events


def test_start_keeps_what_the_first_attempt_fixed(fleet):
    """A task continued elsewhere has the persona and prompt of its beginning."""
    fleet.submit()
    fleet.claim_one().start({"values": {"agent_name": "Imani"}, "personal": []}).release()

    second = fleet.claim_one("beta").start({"values": {}, "personal": []})

    assert fleet.task(second)["persona"]["values"] == {"agent_name": "Imani"}


def test_extending_keeps_what_is_held(fleet):
    """extend_lease renews the leases of this worker and leaves out those it has lost."""
    fleet.submit(count=2)
    worker = uuid.uuid4()
    kept, lost = fleet.claim(2, worker=worker)
    fleet.let_leases_end()
    fleet.rows(
        "UPDATE fleet.tasks SET worker_id = %s WHERE task_id = %s", uuid.uuid4(), lost.key[0]
    )

    extended = fleet.rows(
        "SELECT fleet.extend_lease(%s, %s) AS id", worker, [kept.key[0], lost.key[0]], user="alpha"
    )

    assert [row["id"] for row in extended] == [kept.key[0]]
    assert fleet.value(
        "SELECT lease_until > now() FROM fleet.tasks WHERE task_id = %s", kept.key[0]
    )


def test_sweep_takes_back_what_was_not_extended(fleet):
    """A task whose lease has ended is pending again for the others, and keeps its turns."""
    fleet.submit(count=2)
    lost = fleet.claim_one().start().store()
    fleet.let_leases_end()
    alive = fleet.claim_one()

    assert fleet.value("SELECT fleet.sweep_tasks()") == 1

    task = fleet.task(lost)
    assert (task["state"], task["lease_until"]) == ("pending", None)
    assert fleet.value("SELECT kind FROM analytics.task_failures") == "lease_ended"
    assert fleet.task(alive)["state"] == "claimed"
    again = fleet.claim_one("beta")
    assert (again.row["attempt"], len(again.row["turns"])) == (2, len(TURNS))
    with fleet_error(sqlstate=LOST):
        lost.finish()


def test_lease_that_ended_while_the_database_was_away_is_nobodys_failure(fleet):
    """Nobody could extend it: after a restart of the database the task waits, unblamed."""
    fleet.submit()
    lost = fleet.claim_one().start().store()
    fleet.rows("UPDATE fleet.tasks SET lease_until = pg_postmaster_start_time()")

    assert fleet.value("SELECT fleet.sweep_tasks()") == 1

    assert fleet.task(lost)["state"] == "pending"
    assert fleet.rows("SELECT * FROM analytics.task_failures") == []
    told = "SELECT message FROM analytics.events WHERE kind = 'task_taken_back'"
    (event,) = fleet.rows(told)
    assert "the lease ended while the database was away" in event["message"]


def test_release_keeps_turns_and_counts_no_failure(fleet):
    """A task given back in the middle is claimed at once elsewhere, with its turns."""
    fleet.submit()
    held = fleet.claim_one().start().store(TURNS[:2])

    held.release("told to stop")

    other = fleet.claim_one("beta")
    assert [turn["text"] for turn in other.row["turns"]] == list(TURNS[:2])
    assert [turn["speaker"] for turn in other.row["turns"]] == ["agent", "customer"]
    assert fleet.rows("SELECT * FROM analytics.task_failures") == []


def test_starting_worker_returns_what_its_predecessor_held(fleet):
    """Only tasks of this node and of other workers are given back."""
    fleet.submit(count=3)
    worker = uuid.uuid4()
    dead, own = fleet.claim_one(), fleet.claim_one(worker=worker)
    elsewhere = fleet.claim_one("beta")

    returned = fleet.value("SELECT fleet.return_own_tasks(%s)", worker, user="alpha")

    assert returned == 1
    states = [fleet.task(held)["state"] for held in (dead, own, elsewhere)]
    assert states == ["pending", "claimed", "claimed"]
    assert fleet.value("SELECT kind FROM analytics.task_failures") == "worker_died"


def test_pause_stops_claims_and_resume_allows_them(fleet):
    """A paused fleet hands out nothing; what runs may finish."""
    fleet.submit(count=2)
    running = fleet.claim_one()
    change = "SELECT fleet.set_fleet_state(%s, 'ada', 'maintenance')"

    assert fleet.value(change, "paused", user="fleet_control")
    assert fleet.claim() == []
    assert running.write()
    assert fleet.value(change, "running", user="fleet_control")
    assert len(fleet.claim()) == 1


def test_paused_job_is_passed_over(fleet):
    """Tasks of a paused job wait while others are claimed."""
    paused, other = fleet.submit(priority=9), fleet.submit()
    fleet.rows("UPDATE fleet.jobs SET is_paused = true WHERE job_id = %s", paused)

    assert [fleet.task(held)["job_id"] for held in fleet.claim(2)] == [other]


def test_cancelled_job_drops_running_work(fleet):
    """After cancel_job the holder is refused and the waiting tasks are never claimed."""
    job = fleet.submit(count=3)
    held = fleet.claim_one().start()

    assert fleet.value("SELECT fleet.cancel_job(%s)", job, user="fleet_control") == 3

    with fleet_error(sqlstate=LOST):
        held.call("store_turn", 1, "agent", "Hello.")
    assert fleet.rows(
        "SELECT fleet.extend_lease(%s, %s) AS id", held.worker, [held.key[0]], user="alpha"
    ) == []  # fmt: skip
    assert fleet.claim() == []
    assert fleet.value("SELECT state FROM analytics.jobs") == "cancelled"


def test_removed_node_claims_nothing(fleet):
    """A login whose node was removed is refused, with the remedy."""
    fleet.submit()
    fleet.rows("UPDATE fleet.nodes SET removed_at = now() WHERE node = 'beta'")

    with fleet_error("fleet_node_beta belongs to no enrolled node", "Enrol the node again"):
        fleet.claim(node="beta")
