"""What people change is an event: jobs and settings."""

from __future__ import annotations

import pytest
from psycopg.types.json import Jsonb

TOLD = "SELECT kind, severity, message FROM analytics.events ORDER BY time, kind"


def told(fleet):
    return [(row["kind"], row["message"]) for row in fleet.rows(TOLD)]


def test_order_is_told_once(fleet):
    """Also one under a key, which gets its id after it was made."""
    plain = fleet.submit("complaint", 3)
    once = "SELECT job_id FROM fleet.submit_order_once('k', %s, 'tests')"
    order = Jsonb({"scenario": "complaint", "count": 2})
    keyed = fleet.value(once, order)
    fleet.rows(once, order)

    assert told(fleet) == [
        ("job_submitted", f"Job {plain} (3 of complaint) was ordered by tests."),
        ("job_submitted", f"Job {keyed} (2 of complaint) was ordered by tests."),
    ]


@pytest.mark.parametrize(
    ("sql", "kind", "said"),
    [
        ("pause_job(%s)", "job_paused", "is paused: what is being written is finished"),
        ("cancel_job(%s)", "job_cancelled", "is cancelled"),
        ("set_job_priority(%s, 9)", "job_moved", "has priority 9, not 5"),
        ("move_job(%s, 'first')", "job_moved", "is served first of its priority"),
    ],
)
def test_what_is_done_with_a_job_is_told_once(fleet, sql, kind, said):
    """The sentence names the job; others that make room for it have no event."""
    fleet.submit("complaint", 2)
    job = fleet.submit("complaint", 2)
    fleet.rows("DELETE FROM telemetry.events")

    fleet.rows(f"SELECT fleet.{sql}", job)

    assert told(fleet) == [(kind, f"Job {job} (2 of complaint) {said}.")]


def test_what_changes_nothing_is_not_told(fleet):
    """A second pause, the priority that it has, nothing to try again."""
    job = fleet.submit("complaint", 2)
    fleet.rows("SELECT fleet.pause_job(%s)", job)
    fleet.rows("DELETE FROM telemetry.events")

    for sql in ("pause_job(%s)", "set_job_priority(%s, 5)", "retry_job(%s)"):
        fleet.rows(f"SELECT fleet.{sql}", job)

    assert told(fleet) == []


def test_end_of_a_job_is_told(fleet):
    """A job of which nothing was written has failed, one that is tried again goes on."""
    fleet.set("task_attempts_max", 1)
    job = fleet.submit("complaint", 1)
    fleet.claim_one().fail()
    fleet.decide(can_write=True)
    fleet.rows("DELETE FROM telemetry.events")

    fleet.rows("SELECT fleet.settle_jobs()")
    fleet.rows("SELECT fleet.retry_job(%s)", job)

    assert [kind for kind, _ in told(fleet)] == ["job_failed", "job_retried"]
    assert fleet.rows(TOLD)[0]["severity"] == "error"


def test_change_that_is_undone_is_not_told(fleet):
    """An order whose transaction fails has never been."""
    with fleet.database.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT fleet.submit_job('complaint', 1, 'tests')")
        connection.execute("ROLLBACK")

    assert told(fleet) == []


def test_setting_is_told_with_its_author(fleet):
    """A new value, and a value that is given back to the wider scope."""
    first = fleet.set("manual_throttle_factor", 0.5, "node:alpha")
    second = fleet.value(
        "SELECT fleet.set_config('node:alpha', 'manual_throttle_factor', NULL, 'tests', '')"
    )

    of = "manual_throttle_factor of node:alpha is"
    assert told(fleet) == [
        ("setting_changed", f"{of} 0.5 (version {first}, by tests: quick)."),
        ("setting_changed", f"{of} that of the wider scope again (version {second}, by tests)."),
    ]
