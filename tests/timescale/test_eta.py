"""When a job will have ended: by what the machines that write now finished in the last hour."""

from __future__ import annotations

import pytest


def about(seconds):
    return pytest.approx(seconds, abs=1)


def write(fleet, ends, node="alpha", seconds=10):
    """Have a node write tasks that ended so many seconds ago, each in so many seconds."""
    for ago in ends:
        held = fleet.claim_one(node)
        held.write()
        fleet.rows(
            "UPDATE fleet.tasks SET finished_at = now() - make_interval(secs => %s),"
            " claimed_at = now() - make_interval(secs => %s) WHERE task_id = %s",
            ago, ago + seconds, held.key[0],
        )  # fmt: skip


def read_eta(fleet, column="eta_p50_at"):
    """Seconds from now by job; None where it is not known."""
    rows = fleet.rows(
        f"SELECT job_id, extract(epoch FROM {column} - now())::float AS left FROM analytics.jobs"
    )
    return {row["job_id"]: row["left"] for row in rows}


def read_one(fleet, column="eta_p50_at"):
    (left,) = read_eta(fleet, column).values()
    return left


def test_eta_follows_the_pace_and_the_queue(fleet):
    """At one conversation each 10 s, 6 that are left end in a minute; the job behind waits."""
    ahead = fleet.submit(count=10, priority=9)
    behind = fleet.submit(count=6)
    fleet.beat("alpha")
    write(fleet, (30, 20, 10, 0))

    assert read_eta(fleet) == {ahead: about(60), behind: about(120)}
    progress = fleet.rows("SELECT job_id, progress_ratio FROM analytics.jobs")
    assert {r["job_id"]: r["progress_ratio"] for r in progress} == {ahead: 0.4, behind: 0.0}


def test_eta_of_jobs_that_share(fleet):
    """The smaller one ends when both have been given its size, the larger with the last."""
    small, large = fleet.submit(count=6), fleet.submit(count=16)
    fleet.beat("alpha")
    write(fleet, range(70, -1, -10))

    assert read_eta(fleet) == {small: about(40), large: about(140)}


def test_no_eta_without_a_pace(fleet):
    """Before a few conversations are written nobody knows when it ends."""
    fleet.submit(count=5)
    fleet.beat("alpha")
    write(fleet, (10, 0))

    assert read_one(fleet) is None


def test_machines_that_write_add_up(fleet):
    """Two machines of 10 s each finish one in 5 s."""
    fleet.submit(count=14)
    for node in ("alpha", "beta"):
        fleet.beat(node)
        write(fleet, (20, 10, 0), node)

    assert read_one(fleet) == about(8 * 5)


@pytest.mark.parametrize(
    "goes",
    [
        "UPDATE fleet.nodes SET last_heartbeat_at = now() - interval '40 s' WHERE node = 'beta'",
        "UPDATE fleet.nodes SET worker_state = 'stopped' WHERE node = 'beta'",
        "UPDATE fleet.nodes SET llm_circuit_opened_at = now() WHERE node = 'beta'",
        "INSERT INTO telemetry.hardware (time, node, mode) VALUES (now(), 'beta', 'gaming')",
    ],
    ids=["silent", "stopped", "sick model server", "gaming"],
)
def test_machine_that_goes_takes_its_pace_along(fleet, goes):
    """When half of the machines go off, what is left takes twice as long, at once."""
    fleet.submit(count=14)
    for node in ("alpha", "beta"):
        fleet.beat(node)
        write(fleet, (20, 10, 0), node)

    fleet.rows(goes)

    assert read_one(fleet) == about(8 * 10)


def test_time_without_work_is_no_slowness(fleet):
    """A queue that was empty, or a game, for half an hour does not lower the pace."""
    fleet.submit(count=12)
    fleet.beat("alpha")
    write(fleet, (1820, 1810, 1800, 20, 10, 0))

    assert read_one(fleet) == about(6 * 10)


def test_rests_between_tasks_are_slowness(fleet):
    """A machine that rests as long as it writes, for heat, is half as fast."""
    fleet.submit(count=12)
    fleet.beat("alpha")
    write(fleet, (100, 80, 60, 40, 20, 0))

    assert read_one(fleet) == about(6 * 110 / 6)


def test_conversations_at_once_count_once_in_time(fleet):
    """Three at once in 30 s are one each 10 s."""
    fleet.submit(count=9)
    fleet.beat("alpha")
    write(fleet, (0, 0, 0), seconds=30)

    assert read_one(fleet) == about(6 * 10)


def test_p90_widens_with_variation_and_with_little_knowledge(fleet):
    """p90 is p50 where all take the same; later where they vary, and more so after few."""
    fleet.submit(count=100)
    fleet.beat("alpha")
    write(fleet, (30, 20, 10, 0))
    assert read_one(fleet, "eta_p90_at") == about(read_one(fleet))

    fleet.rows(
        "UPDATE fleet.tasks SET claimed_at = finished_at - interval '5 s' WHERE position <= 2"
    )
    few = read_one(fleet, "eta_p90_at") / read_one(fleet)
    write(fleet, range(240, 39, -20), seconds=5)
    write(fleet, range(250, 49, -20), seconds=10)
    many = read_one(fleet, "eta_p90_at") / read_one(fleet)

    assert few > many > 1


def test_paused_fleet_has_no_eta(fleet):
    """Nobody knows when people go on."""
    fleet.submit(count=10)
    fleet.beat("alpha")
    write(fleet, (20, 10, 0))
    fleet.rows("SELECT fleet.set_fleet_state('paused', 'ada', '')")

    assert read_one(fleet) is None
