"""Who is served next: shares, moves, pauses, retries, and what a machine must have."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest
from fix_fleet import fleet_error


def claim_each(fleet, count, node="alpha"):
    """Claim one at a time; return the jobs in the order in which they were served."""
    return [fleet.task(fleet.claim_one(node))["job_id"] for _ in range(count)]


def test_jobs_of_one_priority_share(fleet):
    """They are served in turn, the older one first."""
    first, second = fleet.submit(count=5), fleet.submit(count=5)

    assert claim_each(fleet, 6) == [first, second] * 3


def test_batch_is_shared(fleet):
    """A claim of several takes the same of each job, and what one cannot give of the others."""
    small, large = fleet.submit(count=1), fleet.submit(count=9)

    served = Counter(fleet.task(held)["job_id"] for held in fleet.claim(6))

    assert served == {small: 1, large: 5}


def test_late_job_shares_from_where_the_others_are(fleet):
    """What was written before a job was ordered is nothing that it has to be given too."""
    early = fleet.submit(count=20)
    claim_each(fleet, 6)
    late = fleet.submit(count=20)

    assert Counter(claim_each(fleet, 8)) == {early: 4, late: 4}


def test_resumed_job_shares_from_where_the_others_are(fleet):
    """A job that was paused is not made up for it."""
    paused, other = fleet.submit(count=20), fleet.submit(count=20)
    assert fleet.value("SELECT fleet.pause_job(%s)", paused, user="fleet_control")
    assert not fleet.value("SELECT fleet.pause_job(%s)", paused, user="fleet_control")
    assert set(claim_each(fleet, 6)) == {other}

    assert fleet.value("SELECT fleet.resume_job(%s)", paused, user="fleet_control")

    assert not fleet.value("SELECT fleet.resume_job(%s)", paused, user="fleet_control")
    assert Counter(claim_each(fleet, 8)) == {paused: 4, other: 4}


def test_paused_job_gets_back_what_nobody_has_begun(fleet):
    """Claimed tasks wait again, nobody having failed; the one that is being written is finished."""
    job = fleet.submit(count=2)
    begun, waiting = fleet.claim_one().start(), fleet.claim_one()

    fleet.rows("SELECT fleet.pause_job(%s)", job)

    with fleet_error("not held", sqlstate="FL001"):
        waiting.start()
    task = fleet.task(waiting)
    assert (task["state"], task["error"]) == ("pending", "its job was paused")
    assert fleet.value("SELECT count(*) FROM fleet.task_failures") == 0
    assert begun.store().finish()


def move(fleet, job, to, other=None):
    return fleet.value("SELECT fleet.move_job(%s, %s, %s)", job, to, other, user="fleet_control")


def test_moved_jobs_are_served_in_their_order(fleet):
    """First, last, before: one job at a time has all the machines, within its priority."""
    jobs = [fleet.submit(count=2) for _ in range(4)]
    urgent = fleet.submit(priority=9)

    move(fleet, jobs[2], "first")
    move(fleet, jobs[0], "last")
    move(fleet, jobs[3], "before", jobs[2])

    order = [urgent, jobs[3], jobs[3], jobs[2], jobs[2], jobs[1], jobs[1], jobs[0], jobs[0]]
    assert claim_each(fleet, 9) == order


def test_job_before_another_leaves_others_where_they_are(fleet):
    """Who was before the other is still before both, and who shared with it still does."""
    front, other, peer, moved = (fleet.submit(count=2) for _ in range(4))
    move(fleet, front, "first")

    move(fleet, moved, "before", peer)

    assert claim_each(fleet, 8) == [front, front, moved, moved, other, peer, other, peer]


def test_job_beside_another_shares_again(fleet):
    """The way back from a move."""
    first, second = fleet.submit(count=4), fleet.submit(count=4)
    move(fleet, second, "first")

    move(fleet, first, "beside", second)

    assert Counter(claim_each(fleet, 4)) == {first: 2, second: 2}


def test_priority_of_an_open_job_can_be_changed(fleet):
    """It is served among those of its new priority."""
    first, second = fleet.submit(count=2), fleet.submit(count=2)

    fleet.rows("SELECT fleet.set_job_priority(%s, 7)", second, user="fleet_control")

    assert claim_each(fleet, 4) == [second, second, first, first]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT fleet.move_job(%(job)s, 'up')", ("cannot move a job 'up'", "first or last")),
        ("SELECT fleet.move_job(%(job)s, 'before')", ("'before' of NULL", "before or beside")),
        ("SELECT fleet.move_job(%(job)s, 'beside', %(job)s)", ("cannot move a job",)),
        ("SELECT fleet.move_job(%(job)s, 'before', %(urgent)s)", ("has 9", "same priority first")),
        ("SELECT fleet.move_job(%(job)s, 'first', %(urgent)s)", ("cannot move",)),
        ("SELECT fleet.set_job_priority(%(job)s, 11)", ("not 11", "5 is usual")),
        ("SELECT fleet.pause_job(%(ended)s)", ("is already cancelled",)),
        ("SELECT fleet.resume_job(%(ended)s)", ("is already cancelled",)),
        ("SELECT fleet.set_job_priority(%(ended)s, 3)", ("is already cancelled",)),
        ("SELECT fleet.move_job(%(ended)s, 'last')", ("is already cancelled",)),
        ("SELECT fleet.retry_job(%(ended)s)", ("was cancelled", "Order another one")),
        ("SELECT fleet.retry_job(%(nowhere)s)", ("no job", "analytics.jobs")),
        ("SELECT fleet.pause_job(%(nowhere)s)", ("no job", "analytics.jobs")),
    ],
)
def test_bad_order_to_a_job_names_value_and_remedy(fleet, sql, told):
    """What cannot be done is refused, and nothing is moved."""
    job, urgent, ended = fleet.submit(), fleet.submit(priority=9), fleet.submit()
    fleet.rows("SELECT fleet.cancel_job(%s)", ended)
    names = {"job": job, "urgent": urgent, "ended": ended, "nowhere": uuid.uuid4()}
    before = fleet.rows("SELECT * FROM fleet.jobs ORDER BY job_id")

    with fleet_error(*told):
        fleet.connection("fleet_control").execute(sql, names)

    assert fleet.rows("SELECT * FROM fleet.jobs ORDER BY job_id") == before


def test_retried_tasks_are_as_new(fleet):
    """A job that failed runs again; what failed before no longer counts, the turns stay."""
    fleet.set("task_attempts_max", 1)
    job = fleet.submit(count=2)
    for held in fleet.claim(2):
        held.start().store(("Hello.",)).fail()
    fleet.decide(can_write=True)
    fleet.rows("SELECT fleet.settle_jobs()")
    assert fleet.value("SELECT state FROM analytics.jobs") == "failed"

    assert fleet.value("SELECT fleet.retry_job(%s)", job, user="fleet_control") == 2

    (row,) = fleet.rows("SELECT state, failed, finished_at FROM analytics.jobs")
    assert tuple(row.values()) == ("running", 0, None)
    fleet.set("task_attempts_max", 3)
    held = fleet.claim_one("beta")
    assert len(held.row["turns"]) == 1
    held.fail()
    fleet.decide(can_write=True, node="beta")
    assert (fleet.task(held)["state"], fleet.task(held)["failures"]) == ("pending", 1)


def test_retried_tasks_wait_behind_those_that_were_never_tried(fleet):
    """They do not take the machines of other jobs, nor the turn of their own."""
    fleet.set("task_attempts_max", 1)
    job = fleet.submit(count=3)
    held = fleet.claim_one()
    held.fail()
    fleet.decide(can_write=True)

    fleet.rows("SELECT fleet.retry_job(%s)", job)

    assert [fleet.task(held)["position"] for held in fleet.claim(3)] == [2, 3, 1]


@pytest.mark.parametrize(
    ("needs", "node", "is_served"),
    [
        ({"model": "qwen"}, "alpha", True),
        ({"model": "llama"}, "alpha", False),
        ({"model": "qwen"}, "beta", False),
        ({"node_class": "gpu"}, "alpha", True),
        ({"node_class": "cpu"}, "alpha", False),
        ({"node_class": "cpu"}, "beta", True),
        ({"vram_bytes_min": 8_000_000_000}, "alpha", True),
        ({"vram_bytes_min": 8_000_000_001}, "alpha", False),
        ({"vram_bytes_min": 1}, "beta", False),
        ({"model": "qwen", "node_class": "gpu", "vram_bytes_min": 1}, "alpha", True),
        ({"model": "qwen", "node_class": "gpu", "vram_bytes_min": 9_000_000_000}, "alpha", False),
    ],
)
def test_job_is_for_machines_that_have_what_it_needs(fleet, needs, node, is_served):
    """alpha has a GPU of 8 GB and was asked for qwen, beta has neither."""
    for gpu, memory in (("0", 8_000_000_000), ("1", 4_000_000_000)):
        fleet.rows(
            "INSERT INTO telemetry.gpu (time, node, gpu, memory_total_bytes)"
            " VALUES (now(), 'alpha', %s, %s)",
            gpu, memory, user="alpha",
        )  # fmt: skip
    fleet.beat("alpha", "beta")
    fleet.rows("SELECT fleet.set_continuation('qwen', 'continues')", user="alpha")

    fleet.submit(**needs)

    assert len(fleet.claim(node=node)) == is_served


def test_model_that_the_worker_names_goes_before_the_one_it_told_of(fleet):
    """A model server that has another model now writes what is for that."""
    fleet.rows("SELECT fleet.set_continuation('qwen', 'continues')", user="alpha")
    fleet.submit(model="llama")
    claim = "SELECT count(*) FROM fleet.claim_tasks(%s, 1, %s)"

    assert fleet.value(claim, uuid.uuid4(), "qwen", user="alpha") == 0
    assert fleet.value(claim, uuid.uuid4(), "llama", user="alpha") == 1


def test_class_of_a_machine_can_be_given(fleet):
    """People name kinds of machines; NULL goes back to what it has."""
    set_class = "SELECT fleet.set_node_class('beta', %s)"
    seen = "SELECT node_class FROM analytics.nodes WHERE node = 'beta'"

    fleet.rows(set_class, "gaming-pc", user="fleet_control")
    assert fleet.value(seen) == "gaming-pc"
    fleet.rows(set_class, None, user="fleet_control")
    assert fleet.value(seen) == "cpu"
    with fleet_error("'Gaming PC' is no class of machines", "gaming-pc"):
        fleet.rows(set_class, "Gaming PC", user="fleet_control")
    with fleet_error("no node gamma", "analytics.nodes"):
        fleet.rows("SELECT fleet.set_node_class('gamma', 'x')", user="fleet_control")


@pytest.mark.parametrize("needs", [{"model": ""}, {"node_class": "A B"}, {"vram_bytes_min": 0}])
def test_impossible_machine_is_refused(fleet, needs):
    """A job that no machine could ever fit is not taken."""
    with fleet_error("no machine can have", "Leave out what does not matter"):
        fleet.submit(**needs)


def test_open_jobs_are_split_alike(fleet):
    """A large order does not keep a small one waiting until all of it are tasks."""
    large = fleet.value("SELECT fleet.submit_job('complaint', 100, 'tests')")
    small = fleet.value("SELECT fleet.submit_job('complaint', 2, 'tests')")

    assert fleet.value("SELECT fleet.split_jobs(10)") == 7
    assert fleet.value("SELECT fleet.split_jobs(10)") == 10

    split = {row["job_id"]: row["split"] for row in fleet.rows("SELECT * FROM fleet.jobs")}
    assert split == {large: 15, small: 2}
