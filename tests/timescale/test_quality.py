"""Verdicts: stored once, duplicates found, counted as they stand in analytics."""

from __future__ import annotations

import threading
import uuid

import pytest
from fix_fleet import TURNS, fleet_error

STORE = "SELECT fleet.store_verdict(%s, %s, %s, %s, %s, %s, %s, 'checks', 11, 11)::text AS value"
SCRUBBED = [f"scrubbed {text}" for text in TURNS]


def claim(fleet, worker, limit=10, node="alpha"):
    return fleet.rows("SELECT * FROM fleet.claim_judgements(%s, %s)", worker, limit, user=node)


def judge(fleet, conversation, worker, reason=None, *, content_hash=b"x", node="alpha"):
    """Store a verdict on a claimed conversation; return the state that it led to."""
    finding = (reason, "checks", "turn 1: [PII]") if reason else (None, None, None)
    return fleet.value(STORE, conversation, worker, *finding, content_hash, SCRUBBED, user=node)


def test_judgement_brings_all_that_checks_need(fleet):
    """A claim has turns in order, persona, template and the limits of the order."""
    made = fleet.write()

    (row,) = claim(fleet, uuid.uuid4())

    assert row["conversation_id"] == made
    assert [turn["text"] for turn in row["turns"]] == list(TURNS)
    assert (row["min_turns"], row["max_turns"]) == (6, 8)
    assert row["persona"]["personal"] == ["customer_name"]
    assert "{% block call %}" in row["template"]


def test_unjudged_conversation_is_in_no_view(fleet):
    """Before its verdict a conversation is not seen; after it only scrubbed text is."""
    made, worker = fleet.write(), uuid.uuid4()
    assert fleet.rows("SELECT * FROM analytics.conversations") == []
    assert fleet.rows("SELECT * FROM analytics.turns") == []
    claim(fleet, worker)

    assert judge(fleet, made, worker) == "accepted"

    (row,) = fleet.rows("SELECT * FROM analytics.conversations")
    assert (row["state"], row["checks_passed"], row["checks_total"]) == ("accepted", 11, 11)
    assert (row["judge"], row["judged_by"], row["realness"]) == ("checks", "alpha", None)
    turns = fleet.rows("SELECT text FROM analytics.turns ORDER BY position")
    assert [turn["text"] for turn in turns] == SCRUBBED


def test_rejection_has_reason_stage_and_evidence(fleet):
    """A rejected conversation has one row that says why."""
    made, worker = fleet.write(), uuid.uuid4()
    claim(fleet, worker)

    assert judge(fleet, made, worker, "repetition") == "rejected"

    (row,) = fleet.rows("SELECT * FROM analytics.rejections")
    assert (row["conversation_id"], row["reason"], row["stage"], row["evidence"]) == (
        made,
        "repetition",
        "checks",
        "turn 1: [PII]",
    )


def test_first_verdict_stands(fleet):
    """A repeated verdict returns the first state and counts nothing again."""
    made, worker = fleet.write(), uuid.uuid4()
    claim(fleet, worker)

    assert judge(fleet, made, worker) == "accepted"
    assert judge(fleet, made, worker, "repetition") == "accepted"
    assert fleet.counters("fleet_conversations_total") == {("accepted", "order_status"): 1}


def test_same_words_are_a_duplicate(fleet):
    """The second accepted conversation of one hash is rejected; it passed one check less."""
    worker = uuid.uuid4()
    first, second, other = fleet.write(), fleet.write(), fleet.write()
    claim(fleet, worker)

    states = [
        judge(fleet, first, worker, content_hash=b"same"),
        judge(fleet, second, worker, content_hash=b"same"),
        judge(fleet, other, worker, content_hash=b"other"),
    ]

    assert states == ["accepted", "rejected", "accepted"]
    (row,) = fleet.rows("SELECT * FROM analytics.rejections")
    assert (row["reason"], row["stage"]) == ("exact_duplicate", "duplicate")
    assert str(first) in row["evidence"]
    passed = "SELECT checks_passed FROM analytics.conversations WHERE conversation_id = %s"
    assert fleet.value(passed, second) == 10


def test_rejected_conversation_is_no_twin(fleet):
    """The words of a rejected conversation may be accepted when they come again."""
    worker = uuid.uuid4()
    first, second = fleet.write(), fleet.write()
    claim(fleet, worker)

    judge(fleet, first, worker, "repetition", content_hash=b"same")

    assert judge(fleet, second, worker, content_hash=b"same") == "accepted"


def test_race_of_two_twins_accepts_one(fleet):
    """Two nodes that judge the same words at the same time accept exactly one of them."""
    pairs = [(fleet.write(), fleet.write()) for _ in range(5)]
    workers = {"alpha": uuid.uuid4(), "beta": uuid.uuid4()}
    for pair in pairs:
        for node, made in zip(workers, pair, strict=True):
            fleet.rows(
                "UPDATE fleet.conversations SET judging_worker_id = %s WHERE conversation_id = %s",
                workers[node], made,
            )  # fmt: skip
    barrier, states = threading.Barrier(2), {}

    def run(node, number):
        with fleet.database.connect(node) as connection:
            for round_, pair in enumerate(pairs):
                barrier.wait(10)
                made = connection.execute(
                    STORE,
                    [pair[number], workers[node], None, None, None, b"%d" % round_, SCRUBBED],
                )
                states[round_, node] = made.fetchone()["value"]

    threads = [threading.Thread(target=run, args=(n, i)) for i, n in enumerate(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for round_ in range(len(pairs)):
        assert {states[round_, node] for node in workers} == {"accepted", "rejected"}
    assert fleet.value("SELECT count(DISTINCT content_hash) FROM analytics.conversations") == 5


def test_verdict_of_a_lost_lease_is_refused(fleet):
    """After its lease another worker judges, and the first is refused."""
    made, slow, quick = fleet.write(), uuid.uuid4(), uuid.uuid4()
    claim(fleet, slow)
    assert claim(fleet, quick) == []
    fleet.let_leases_end()
    assert len(claim(fleet, quick, node="beta")) == 1

    with fleet_error("is not held by this worker", sqlstate="FL001"):
        judge(fleet, made, slow)
    assert judge(fleet, made, quick, node="beta") == "accepted"


def test_missing_texts_are_refused(fleet):
    """A verdict without a scrubbed text for each turn would show raw ones as NULL: refused."""
    made, worker = fleet.write(), uuid.uuid4()
    claim(fleet, worker)

    with fleet_error("3 scrubbed texts for 4 turns"):
        fleet.rows(STORE, made, worker, None, None, None, b"x", SCRUBBED[:3], user="alpha")


@pytest.mark.parametrize("node", ["alpha", "beta"])
def test_counters_equal_the_view(fleet, node):
    """Accepted and rejected of all nodes add up to analytics.conversations, by the judging node."""
    worker = uuid.uuid4()
    made = [fleet.write(scenario=name) for name in ("complaint", "complaint", "lab_results")]
    claim(fleet, worker, node=node)
    judge(fleet, made[0], worker, node=node, content_hash=b"1")
    judge(fleet, made[1], worker, "repetition", node=node, content_hash=b"2")
    judge(fleet, made[2], worker, node=node, content_hash=b"3")

    seen = fleet.rows(
        "SELECT scenario, state, count(*)::float AS n FROM analytics.conversations"
        " WHERE judged_by = %s GROUP BY 1, 2",
        node,
    )

    counters = fleet.counters("fleet_conversations_total", node)
    assert counters == {(row["state"], row["scenario"]): row["n"] for row in seen}
    assert sum(counters.values()) == 3


def test_checks_and_reasons_are_counted(fleet):
    """By the judging node: checks that passed and failed, and the reason of each rejection."""
    worker = uuid.uuid4()
    made = [fleet.write() for _ in range(3)]
    claim(fleet, worker)
    judge(fleet, made[0], worker, content_hash=b"same")
    judge(fleet, made[1], worker, content_hash=b"same")
    judge(fleet, made[2], worker, "repetition")

    (sums,) = fleet.rows(
        "SELECT sum(checks_passed)::float AS passed,"
        " sum(checks_total - checks_passed)::float AS failed FROM analytics.conversations"
    )
    assert fleet.counters("fleet_quality_checks_total") == {
        ("passed",): sums["passed"], ("failed",): sums["failed"],
    }  # fmt: skip
    assert fleet.counters("fleet_rejections_total") == {("exact_duplicate",): 1, ("repetition",): 1}
