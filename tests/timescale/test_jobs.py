"""Orders: what is taken, how it is split, when it ends, and when it may end."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest
from fix_fleet import fleet_error
from psycopg.types.json import Jsonb

SUBMIT = "SELECT fleet.submit_job(%s, %s, 'ada', %s, %s, %s)"


@pytest.mark.parametrize(
    ("order", "parts"),
    [
        (("weather", 5, 6, 8, 5), ("unknown scenario weather", "Known: mixed, cancellation, ")),
        (("complaint", 0, 6, 8, 5), ("count must be between 1 and 100000, not 0", "job_count_max")),
        (("complaint", 10_000_000, 6, 8, 5), ("not 10000000", "Submit several jobs")),
        (("complaint", -1, 6, 8, 5), ("not -1", "Submit several jobs")),
        (
            ("complaint", 5, 1, 8, 5),
            ("min_turns <= max_turns <= 60, not 1 and 8", "Leave them out"),
        ),
        (("complaint", 5, 9, 8, 5), ("not 9 and 8", "Leave them out")),
        (("complaint", 5, 6, 61, 5), ("not 6 and 61", "Leave them out")),
        (("complaint", 5, 6, 8, 11), ("priority must be between 0 and 10, not 11", "5 is usual")),
        (("complaint", 5, 6, 8, -1), ("not -1", "5 is usual")),
    ],
)
def test_bad_order_names_value_and_remedy(fleet, order, parts):
    """A refused order says which value is wrong and what to do; nothing is stored."""
    with fleet_error(*parts):
        fleet.rows(SUBMIT, *order, user="fleet_control")

    assert fleet.value("SELECT count(*) FROM fleet.jobs") == 0


def test_same_key_gives_the_same_job(fleet):
    """A repeated order under one key is one job, also a changed one; another is refused."""
    once = "SELECT * FROM fleet.submit_order_once('k', %s, 'ada')"
    order = {"scenario": "complaint", "count": 3}

    (first,) = fleet.rows(once, Jsonb(order), user="fleet_control")
    fleet.rows("SELECT fleet.set_job_priority(%s, 9)", first["job_id"])
    (second,) = fleet.rows(once, Jsonb(order), user="fleet_control")

    assert first["job_id"] == second["job_id"]
    assert (first["is_new"], second["is_new"]) == (True, False)
    with fleet_error("idempotency key k was used for another order", "Use a new key"):
        fleet.rows(once, Jsonb({**order, "count": 4}), user="fleet_control")


@pytest.mark.parametrize("count", [1, 2, 7, 10, 33, 100])
def test_mixed_job_visits_scenarios_evenly(fleet, count):
    """With equal weights no scenario is written more than twice as often as its fair share."""
    fleet.submit("mixed", count)

    drawn = Counter(row["scenario"] for row in fleet.rows("SELECT scenario FROM fleet.tasks"))

    assert drawn.total() == count
    assert max(drawn.values()) <= 1 + count / 10 + 1
    assert count < 33 or len(drawn) == 10


def test_mix_follows_weights(fleet):
    """A scenario of three times the weight is written three times as often."""
    job = fleet.value("SELECT fleet.submit_job('mixed', 100, 'tests')")
    mix = '{"complaint": 3, "lab_results": 1}'
    fleet.rows("UPDATE fleet.jobs SET mix = %s::jsonb WHERE job_id = %s", mix, job)
    fleet.rows("SELECT fleet.split_jobs()")

    drawn = Counter(row["scenario"] for row in fleet.rows("SELECT scenario FROM fleet.tasks"))

    assert drawn["complaint"] == pytest.approx(75, abs=2)
    assert drawn["lab_results"] == pytest.approx(25, abs=2)


def test_split_respects_its_limit(fleet):
    """One call makes at most so many tasks, in queue order, and the next goes on from there."""
    late = fleet.value("SELECT fleet.submit_job('complaint', 5, 'tests')")
    first = fleet.value("SELECT fleet.submit_job('complaint', 5, 'tests', p_priority => 9)")

    made = [fleet.value("SELECT fleet.split_jobs(4)") for _ in range(4)]

    assert made == [4, 4, 2, 0]
    tasks = fleet.rows("SELECT job_id, position, seed FROM fleet.tasks ORDER BY created_at")
    assert [t["job_id"] for t in tasks].count(first) == 5
    assert {t["job_id"] for t in tasks[:4]} == {first}
    for job in (first, late):
        assert {t["position"] for t in tasks if t["job_id"] == job} == {1, 2, 3, 4, 5}
    assert len({t["seed"] for t in tasks}) == 10


def test_job_is_running_once_it_is_split(fleet):
    """pending until the first task is made, then running."""
    job = fleet.value("SELECT fleet.submit_job('complaint', 1, 'tests')")
    state = "SELECT state FROM analytics.jobs WHERE job_id = %s"

    assert fleet.value(state, job) == "pending"
    fleet.rows("SELECT fleet.split_jobs()")
    assert fleet.value(state, job) == "running"


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        (("done", "done"), "done"),
        (("done", "failed"), "done"),
        (("failed", "failed"), "failed"),
        (("done", "pending"), "running"),
    ],
)
def test_job_ends_with_its_last_task(fleet, ends, state):
    """Done when any task succeeded, failed when none did, running while one is open."""
    fleet.set("task_attempts_max", 1)
    job = fleet.submit(count=2)
    for end in ends:
        if end == "done":
            fleet.claim_one().write()
        if end == "failed":
            fleet.claim_one().fail()
            fleet.decide(can_write=True)

    settled = fleet.value("SELECT fleet.settle_jobs()")

    (row,) = fleet.rows("SELECT state, finished_at FROM analytics.jobs WHERE job_id = %s", job)
    assert row["state"] == state
    assert (row["finished_at"] is not None) == (settled == 1) == (state != "running")


def test_job_that_is_not_all_split_stays_open(fleet):
    """A job is not settled while some of its conversations are no tasks yet."""
    fleet.value("SELECT fleet.submit_job('complaint', 2, 'tests')")
    fleet.rows("SELECT fleet.split_jobs(1)")
    fleet.claim_one().write()

    assert fleet.value("SELECT fleet.settle_jobs()") == 0


def test_ended_or_unknown_job_cannot_be_cancelled(fleet):
    """Cancelling says which job it does not know, or how the job ended already."""
    job, nowhere = fleet.submit(), uuid.uuid4()
    fleet.rows("SELECT fleet.cancel_job(%s)", job)

    with fleet_error(f"job {job} is already cancelled"):
        fleet.rows("SELECT fleet.cancel_job(%s)", job)
    with fleet_error(f"no job {nowhere}", "analytics.jobs"):
        fleet.rows("SELECT fleet.cancel_job(%s)", nowhere)
