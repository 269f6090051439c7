"""Jobs that count accepted conversations: they write on until they have them, within a budget."""

from __future__ import annotations

import itertools
import uuid

import pytest
from fix_fleet import fleet_error

SUBMIT = "SELECT fleet.submit_job('complaint', 2, 'ada', p_counts => %s, p_budget => %s)"


def judge(fleet, *, keeps):
    """Have beta judge what waits, one after the other; `keeps` says which numbers are accepted."""
    worker = uuid.uuid4()
    rows = fleet.rows("SELECT * FROM fleet.claim_judgements(%s, 100)", worker, user="beta")
    for number, row in enumerate(rows):
        reason = None if keeps(number) else "repetition"
        fleet.rows(
            "SELECT fleet.store_verdict(%s, %s, %s, 'checks', 'seen', %s, %s, 'checks', 1, 1)",
            row["conversation_id"], worker, reason, uuid.uuid4().bytes,
            [turn["text"] for turn in row["turns"]],
            user="beta",
        )  # fmt: skip


def round_of_upkeep(fleet):
    """Do what the master does of jobs in one round."""
    fleet.rows("SELECT fleet.split_jobs()")
    fleet.rows("SELECT fleet.settle_jobs()")


def write_all(fleet):
    while held := fleet.claim(100):
        for each in held:
            each.write()


def job_row(fleet, job):
    (row,) = fleet.rows("SELECT * FROM analytics.jobs WHERE job_id = %s", job)
    return row


def test_job_writes_on_until_so_many_are_accepted(fleet):
    """Every second is rejected: it ends with exactly the wanted number, and has told its tries."""
    job = fleet.submit(count=5, counts="accepted")
    judged = itertools.count()
    for _ in range(10):
        write_all(fleet)
        judge(fleet, keeps=lambda _: next(judged) % 2)
        round_of_upkeep(fleet)

    row = job_row(fleet, job)
    assert (row["state"], row["done"], row["progress_ratio"]) == ("done", 5, 1)
    assert row["tasks_made"] == row["done"] + row["rejected"] <= row["tasks_max"] == 15
    assert fleet.rows("SELECT * FROM analytics.events WHERE kind = 'job_budget_used'") == []


@pytest.mark.parametrize("is_folded", [False, True])
def test_no_more_are_written_than_may_be_lacking(fleet, is_folded):
    """What waits, is written or is not judged yet may be accepted: nothing is written beside it."""
    job = fleet.submit(count=4, counts="accepted")
    fleet.claim_one()
    for held in fleet.claim(2):
        held.write()
    judge(fleet, keeps=lambda number: number == 0)
    if is_folded:
        fleet.rows("SELECT fleet.fold_counts()")

    assert fleet.value("SELECT fleet.split_jobs()") == 1
    assert fleet.value("SELECT fleet.split_jobs()") == 0
    assert job_row(fleet, job)["tasks_made"] == 5


def test_job_is_open_until_the_last_verdict(fleet):
    """All are written and one is not judged: it may be the one that is lacking."""
    job = fleet.submit(count=1, counts="accepted")
    write_all(fleet)
    round_of_upkeep(fleet)
    assert job_row(fleet, job)["state"] == "running"

    judge(fleet, keeps=lambda _: True)
    round_of_upkeep(fleet)

    assert job_row(fleet, job)["state"] == "done"


@pytest.mark.parametrize(("kept", "state"), [(1, "done"), (0, "failed")])
def test_used_budget_ends_the_job_with_what_it_has(fleet, kept, state):
    """Nearly all are rejected: the job ends, and an event says what is lacking and why."""
    job = fleet.submit(count=2, counts="accepted", budget=2)
    judged = itertools.count()
    for _ in range(5):
        write_all(fleet)
        judge(fleet, keeps=lambda _: next(judged) < kept)
        round_of_upkeep(fleet)

    row = job_row(fleet, job)
    assert (row["state"], row["done"], row["tasks_made"]) == (state, kept, 4)
    (event,) = fleet.rows("SELECT * FROM analytics.events WHERE kind = 'job_budget_used'")
    assert event["severity"] == "warning"
    assert (
        f"Job {job} ends with {kept} of 2 accepted conversations: its budget of 4"
        in (event["message"])
    )


def test_given_up_tasks_are_replaced_within_the_budget(fleet):
    """A dead letter uses the budget as a rejected conversation does."""
    fleet.set("task_attempts_max", 1)
    job = fleet.submit(count=1, counts="accepted", budget=2)
    fleet.claim_one().fail()
    fleet.decide(can_write=True)

    round_of_upkeep(fleet)
    write_all(fleet)
    judge(fleet, keeps=lambda _: True)
    round_of_upkeep(fleet)

    row = job_row(fleet, job)
    assert (row["state"], row["done"], row["failed"], row["tasks_made"]) == ("done", 1, 1, 2)


def test_retry_tries_no_more_than_is_lacking(fleet):
    """Of the given up ones a person has as many tried again as can still be wanted."""
    fleet.set("task_attempts_max", 1)
    job = fleet.submit(count=2, counts="accepted", budget=2)
    for _ in range(4):
        fleet.rows("SELECT fleet.split_jobs()")
        fleet.claim_one().fail()
        fleet.decide(can_write=True)
    round_of_upkeep(fleet)
    assert job_row(fleet, job)["state"] == "failed"

    assert fleet.value("SELECT fleet.retry_job(%s)", job, user="fleet_control") == 2
    assert fleet.value("SELECT fleet.retry_job(%s)", job, user="fleet_control") == 0

    write_all(fleet)
    judge(fleet, keeps=lambda _: True)
    round_of_upkeep(fleet)
    row = job_row(fleet, job)
    assert (row["state"], row["done"]) == ("done", 2)


def test_written_ones_are_counted_by_default(fleet):
    """Without a word of it a job ends when its conversations are written, and has no budget."""
    job = fleet.submit(count=2)
    write_all(fleet)
    judge(fleet, keeps=lambda _: False)
    round_of_upkeep(fleet)

    row = job_row(fleet, job)
    assert (row["state"], row["counts"], row["budget"], row["tasks_made"]) == (
        "done", "written", 1, 2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "budget", "told"),
    [
        ("kept", 3, ("cannot count 'kept' conversations", "written or accepted")),
        (None, 3, ("cannot count NULL",)),
        ("accepted", 0, ("budget must be between 1 and 20 times count, not 0", "for 3")),
        ("accepted", 21, ("not 21",)),
    ],
)
def test_bad_budget_names_value_and_remedy(fleet, counts, budget, told):
    """What a job cannot count, or a budget that is none, is refused."""
    with fleet_error(*told):
        fleet.value(SUBMIT, counts, budget, user="fleet_control")


def test_estimate_counts_what_is_probably_rejected(fleet):
    """Half of a job's own were rejected: twice what is lacking remains, within its budget."""
    fleet.beat("alpha")
    job = fleet.submit(count=100, counts="accepted")
    for held in fleet.claim(40):
        held.write()
    judge(fleet, keeps=lambda number: number % 2)
    fleet.rows("SELECT fleet.split_jobs()")

    row = job_row(fleet, job)

    assert 150 <= row["remaining"] <= 170
    assert row["eta_p50_at"] is not None
