"""A job that counts accepted conversations, as a worker writes it; and long conversations."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from fix_fleet import wait_until
from fleet_orchestrator.fleet_metrics import FleetCollector
from fleet_orchestrator.judging import judge_batch
from fleet_orchestrator.master import Master
from fleet_orchestrator.quality.call import Finding
from fleet_orchestrator.quality.judge import judge

JOB = "SELECT * FROM analytics.jobs"


@pytest.fixture
def writing(worker, beside):
    """A worker that claims and writes, and leaves judging to the test."""
    beside(worker.generate)
    yield worker
    worker.end()


@pytest.fixture
def lead(fleet):
    """Do a round of the master."""
    connection, master = fleet.database.connect("fleet_master"), Master(FleetCollector())
    yield lambda: master.tick(connection)
    connection.close()


def test_job_ends_with_exactly_the_wanted_number(fleet, writing, store, lead):
    """Every second conversation is rejected: it is replaced until six are accepted."""
    fleet.submit("mixed", 6, counts="accepted")
    judged = itertools.count()

    def go_on():
        for unjudged in store.claim_judgements(10):
            verdict = judge(unjudged)
            if next(judged) % 2:
                verdict = replace(verdict, finding=Finding("repetition", "checks", "so it is"))
            store.store_verdict(unjudged.conversation_id, verdict)
        lead()
        writing.wake.set()
        return fleet.rows(JOB)[0]["state"] not in {"pending", "running"}

    wait_until(go_on, "the job ends")
    (job,) = fleet.rows(JOB)
    assert (job["state"], job["done"], job["unjudged"]) == ("done", 6, 0)
    assert job["rejected"] >= 5
    assert job["tasks_made"] == job["done"] + job["rejected"] <= job["tasks_max"]


@pytest.mark.parametrize("turns", [6, 7, 20, 60])
def test_conversation_of_many_turns_is_written(fleet, attempt, store, model_server, turns):
    """The most that an order may ask for is written and judged as a short one is."""
    # An outline has the same line for all that goes beyond the phases of its scenario: words that
    # say it each time alike are a repetition, and rejected.
    model_server.counts_turns = True
    fleet.submit("healthcare_billing", min_turns=turns, max_turns=turns)

    assert attempt() is None

    judge_batch(store)
    rows = fleet.rows("SELECT c.turns, c.state, r.reason, r.evidence FROM analytics.conversations c"
                      " LEFT JOIN analytics.rejections r USING (conversation_id)")  # fmt: skip
    assert [(row["turns"], row["state"], row["reason"]) for row in rows] == [
        (turns, "accepted", None)
    ]
