"""Copies of accepted conversations: found by their sketches, named, counted by stage."""

from __future__ import annotations

import threading
import uuid

import pytest
from fix_fleet import TURNS, fleet_error

SKETCH = "SELECT fleet.store_sketch(%s, %s, %s, %s::int[], %s::int[], %s)"
STORE = (
    "SELECT fleet.store_verdict(%s, %s, NULL, NULL, NULL, %s, %s, 'checks', 11, 11)::text AS value"
)
METHOD = "2 words"
WORDS = list(range(100))
BANDS = list(range(1000, 1064))
OTHER_WORDS, OTHER_BANDS = list(range(300, 400)), list(range(3000, 3064))


def claim(fleet, worker, node="alpha"):
    fleet.rows("SELECT * FROM fleet.claim_judgements(%s, 10)", worker, user=node)


def judge(fleet, made, worker, words=WORDS, bands=BANDS, *, example=0.1, method=METHOD):
    """Store sketch and verdict of a claimed conversation; return the state that it led to."""
    fleet.rows(SKETCH, made, worker, method, words, bands, example, user="alpha")
    return judge_only(fleet, made, worker)


def judge_only(fleet, made, worker):
    return fleet.value(STORE, made, worker, made.bytes, list(TURNS), user="alpha")


@pytest.fixture
def worker():
    return uuid.uuid4()


def write(fleet, worker, count=2):
    made = [fleet.write() for _ in range(count)]
    claim(fleet, worker)
    return made


def share(count):
    """So many of the hundred words, and as many other ones."""
    return [*WORDS[:count], *range(500, 600 - count)]


def test_near_copy_is_rejected_and_names_the_earlier_one(fleet, worker):
    """With most words in common and a band: rejected, with the earlier one and the similarity."""
    first, second = write(fleet, worker)

    assert judge(fleet, first, worker) == "accepted"
    assert judge(fleet, second, worker, share(90), BANDS[:1]) == "rejected"

    (row,) = fleet.rows("SELECT * FROM analytics.rejections")
    assert (row["reason"], row["stage"]) == ("near_duplicate", "duplicate")
    assert row["earlier_conversation_id"] == first
    assert row["similarity"] == pytest.approx(90 / 110)
    assert row["evidence"] == f"0.82 of the words of conversation {first}"
    counted = fleet.counters("fleet_rejections_total")
    assert counted == {("near_duplicate",): 1}


def test_most_similar_one_is_named(fleet, worker):
    """Of several that are similar enough the most similar one is the earlier conversation."""
    first, second, third = write(fleet, worker, 3)
    judge(fleet, first, worker, share(90), BANDS[:2])
    judge(fleet, second, worker, WORDS, BANDS[2:])

    assert judge(fleet, third, worker, [*WORDS[:99], 700]) == "rejected"

    (row,) = fleet.rows("SELECT * FROM analytics.rejections")
    assert row["earlier_conversation_id"] == second


@pytest.mark.parametrize(
    ("words", "bands"),
    [
        (share(79), BANDS),
        (WORDS, list(range(2000, 2064))),
        ([*WORDS, *range(900, 1000)], BANDS),
    ],
    ids=["fewer words in common", "no band in common", "twice the words"],
)
def test_others_are_accepted(fleet, worker, words, bands):
    """Below the setting, where no band is shared, or much longer, it is another conversation."""
    first, second = write(fleet, worker)
    judge(fleet, first, worker)

    assert judge(fleet, second, worker, words, bands) == "accepted"


def test_threshold_is_a_setting(fleet, worker):
    """What is similar enough is set by people and holds from the next verdict on."""
    fleet.set("duplicate_similarity_min", 0.9)
    first, second = write(fleet, worker)
    judge(fleet, first, worker)

    assert judge(fleet, second, worker, share(90)) == "accepted"


def test_rejected_conversation_has_no_copies(fleet, worker):
    """What was rejected may come again; its sketch is gone."""
    first, second = write(fleet, worker)
    judge(fleet, first, worker, example=0.9)

    assert judge(fleet, second, worker) == "accepted"
    assert fleet.rows("SELECT conversation_id FROM fleet.sketches") == [{"conversation_id": second}]


def test_copy_of_the_worked_example_is_rejected(fleet, worker):
    """It has a reason of its own; there is no earlier conversation."""
    (made,) = write(fleet, worker, 1)

    assert judge(fleet, made, worker, example=0.8) == "rejected"

    (row,) = fleet.rows("SELECT * FROM analytics.rejections")
    assert (row["reason"], row["earlier_conversation_id"]) == ("example_duplicate", None)
    assert row["similarity"] == 0.8
    assert row["evidence"] == "0.80 of the words of the worked example"


def test_race_of_two_copies_accepts_one(fleet):
    """Two nodes that judge near copies at the same time accept exactly one of them."""
    pairs = [(fleet.write(), fleet.write()) for _ in range(5)]
    workers = {"alpha": uuid.uuid4(), "beta": uuid.uuid4()}
    for place, pair in enumerate(pairs):
        for node, made in zip(workers, pair, strict=True):
            fleet.rows(
                "UPDATE fleet.conversations SET judging_worker_id = %s WHERE conversation_id = %s",
                workers[node], made,
            )  # fmt: skip
            words = [word + 1000 * place for word in WORDS]
            bands = [band + 1000 * place for band in BANDS]
            fleet.rows(SKETCH, made, workers[node], METHOD, words, bands, 0, user=node)
    barrier, states = threading.Barrier(2), {}

    def run(node, number):
        with fleet.database.connect(node) as connection:
            for place, pair in enumerate(pairs):
                barrier.wait(10)
                made = pair[number]
                row = connection.execute(STORE, [made, workers[node], made.bytes, list(TURNS)])
                states[place, node] = row.fetchone()["value"]

    threads = [threading.Thread(target=run, args=(n, i)) for i, n in enumerate(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for place in range(len(pairs)):
        assert {states[place, node] for node in workers} == {"accepted", "rejected"}


def test_stage_that_cannot_look_says_so(fleet, worker):
    """Without bands near copies are accepted; the stage is missing and counted as skipped."""
    first, second = write(fleet, worker)
    judge(fleet, first, worker)

    assert judge(fleet, second, worker, bands=[], method="") == "accepted"

    stages = fleet.rows("SELECT stage, conversations FROM analytics.duplicates ORDER BY stage")
    assert [(row["stage"], row["conversations"]) for row in stages] == [
        ("exact", 2), ("example", 2), ("minhash", 1),
    ]  # fmt: skip
    assert fleet.counters("fleet_quality_stages_skipped_total") == {("minhash",): 1}


def test_verdict_without_a_sketch_is_stored(fleet, worker):
    """A worker that sends none still gets its verdict, by the same words alone."""
    (made,) = write(fleet, worker, 1)

    assert judge_only(fleet, made, worker) == "accepted"
    assert fleet.value("SELECT method FROM fleet.sketches") == ""


def test_rates_by_stage(fleet, worker):
    """Each stage is counted over those that it looked at; a found copy goes to no further one."""
    first, second, third = write(fleet, worker, 3)
    judge(fleet, first, worker)
    judge(fleet, second, worker)
    judge(fleet, third, worker, OTHER_WORDS, OTHER_BANDS, example=0.7)

    rows = fleet.rows("SELECT * FROM analytics.duplicates", user="fleet_grafana")

    found = {row["stage"]: (row["conversations"], row["duplicates"]) for row in rows}
    assert found == {"exact": (3, 0), "minhash": (3, 1), "example": (2, 1)}
    (row,) = (row for row in rows if row["stage"] == "example")
    assert (row["duplicate_ratio"], row["similarity_avg"]) == (0.5, 0.7)
    assert row["scenario"] == "order_status"


def test_stale_ones_are_sketched_anew(fleet, worker):
    """Accepted ones of another method come with their scrubbed texts, until they have been done."""
    first, second = write(fleet, worker)
    judge(fleet, first, worker, method="3 words")
    judge(fleet, second, worker, OTHER_WORDS, OTHER_BANDS)
    stale = "SELECT * FROM fleet.stale_sketches(%s, 10)"

    (row,) = fleet.rows(stale, METHOD, user="alpha")

    assert row["conversation_id"] == first
    assert [turn["text"] for turn in row["turns"]] == list(TURNS)
    assert row["persona"]["personal"] == ["customer_name"]
    fleet.rows(SKETCH, first, worker, METHOD, WORDS, BANDS, 0, user="alpha")
    assert fleet.rows(stale, METHOD, user="alpha") == []


def test_sketch_of_another_workers_conversation_is_refused(fleet, worker):
    """Before the verdict only the worker that holds a conversation says what it is compared by."""
    (made,) = write(fleet, worker, 1)

    with fleet_error("is not held by this worker", sqlstate="FL001"):
        fleet.rows(SKETCH, made, uuid.uuid4(), METHOD, WORDS, BANDS, 0, user="alpha")


def test_persona_is_read_by_nobody_else(fleet):
    """Who may not judge may not read what a sketch is made of."""
    with fleet_error("permission denied"):
        fleet.rows("SELECT * FROM fleet.stale_sketches('', 1)", user="fleet_grafana")
