"""The dashboard "Jobs" tells the truth of what is open, what ended, and what is to be ordered."""

from __future__ import annotations

import pytest

FORM = {
    "scenario": ["mixed"], "count": ["20"], "counts": ["written"], "min_turns": ["6"],
    "max_turns": ["8"], "priority": ["5"], "model": ["any"], "node_class": ["any"],
    "vram_bytes_min": ["any"], "jobs": ["none"],
}  # fmt: skip


@pytest.fixture
def ask(panels_of, query):
    """Run the SQL of a panel of the dashboard."""
    panels = panels_of("fleet-jobs")
    return lambda title, **values: query(
        panels[title]["targets"][0]["rawSql"],
        FORM | {name: [value] for name, value in values.items()},
    )


def test_open_jobs_keep_their_places(ask, owner):
    """Rows stand as they were ordered, whatever is moved; the turn says who is served first."""
    owner.execute(
        "SELECT fleet.move_job(job_id, 'first') FROM analytics.jobs WHERE state = 'pending'"
    )

    first, second = ask("Open jobs")

    assert [first[key] for key in ("Scenario", "Wanted", "Accepted", "Rejected", "Failed")] == [
        "healthcare_billing", "7 written", 3, 2, 1,
    ]  # fmt: skip
    assert (first["Turn"], second["Turn"], second["Scenario"]) == (2, 1, "mixed")
    assert first["Progress"] == pytest.approx(6 / 7)
    assert first["job_name"] == (
        f"7 conversations of healthcare_billing by tests ({first['job_id'][:8]})"
    )


def test_jobs_that_share_have_one_turn(ask):
    """Nobody is served before the other."""
    assert {row["Turn"] for row in ask("Open jobs")} == {1}


def test_ended_jobs_have_their_yield(ask, owner):
    """Accepted of judged, and nothing where nothing was judged."""
    owner.execute(
        "UPDATE fleet.jobs SET state = 'done', finished_at = now() + interval '1 second'"
        " WHERE mix ? 'healthcare_billing' AND state = 'running'"
    )
    owner.execute("UPDATE fleet.jobs SET finished_at = finished_at - interval '5 seconds'")

    done, cancelled = ask("Ended jobs")

    assert (done["State"], cancelled["State"], cancelled["Yield"]) == ("done", "cancelled", None)
    assert done["Yield"] == pytest.approx(3 / 5)


def test_scenario_figures_are_those_of_its_conversations(ask, owner):
    """Counted and summed as the conversations themselves say."""
    (row,) = (row for row in ask("Scenarios") if row["scenario"] == "healthcare_billing")
    told = owner.execute(
        "SELECT sum(completion_tokens)::float AS tokens, sum(generation_seconds) AS seconds"
        " FROM fleet.conversations WHERE scenario = 'healthcare_billing'"
    ).fetchone()

    assert (row["Accepted"], row["Judged"], row["Yield"]) == (3, 5, pytest.approx(0.6))
    assert row["Tokens each"] == pytest.approx(told["tokens"] / 3)
    assert row["Time each"] == pytest.approx(told["seconds"] / 3)


def test_timeline_has_each_step_of_a_job(ask, owner):
    """Waiting, running, held, running again, cancelled: as numbers that the panel has words for."""
    job = owner.execute("SELECT job_id FROM analytics.jobs WHERE state = 'running'").fetchone()[
        "job_id"
    ]
    owner.execute("SELECT fleet.pause_job(%s)", [job])
    owner.execute("SELECT fleet.resume_job(%s)", [job])
    owner.execute("SELECT fleet.cancel_job(%s)", [job])

    rows = [row for row in ask("Jobs over time") if f"({str(job)[:4]})" in row["metric"]]

    assert [row["value"] for row in rows] == [1, 2, 3, 2, 6]
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)


def test_order_is_told_before_it_is_given(ask):
    """What the fields hold, in words; the pace of the last hour says how long it would take."""
    (row,) = ask("Create a job", count="40", scenario="complaint", vram_bytes_min="8589934592")

    assert row["order"] == "40 of complaint, 6 to 8 turns, priority 5, counting those written."
    assert row["machines"] == "Machines: model any, class any, GPU memory from 8 GiB."
    assert row["forecast"] == "About 480 minutes if it were written alone; 3 wait before it."


def test_nonsense_in_the_form_is_told(ask):
    """Whatever is typed as a count, the panel says what is wrong instead of failing."""
    (row,) = ask("Create a job", count="a few'")

    assert row["forecast"] == "Conversations must be a whole number: see the top of the page."


def test_picked_jobs_are_named(ask):
    """The panel says which jobs the buttons would change, or that none is picked."""
    job = ask("Open jobs")[0]
    (none,) = ask("Change many jobs at once")
    (one,) = ask("Change many jobs at once", jobs=job["job_id"])

    assert none["picked"] == "No job is picked: see Jobs to change at the top of the page."
    assert one["picked"] == f"Picked: {job['job_name']}"


def test_no_job_is_picked_when_the_page_opens(values_of):
    """A button pressed by mistake changes nothing: the first of the list is no job."""
    assert values_of("fleet-jobs.json")["jobs"][0] == "none"
