"""The dashboards "Job" and "Conversation" tell the truth of the one that is chosen."""

from __future__ import annotations

import pytest

ABSENT = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def billing(lived_in, owner):
    """The job that was worked on."""
    row = owner.execute(
        "SELECT job_id::text FROM analytics.jobs WHERE scenario = 'healthcare_billing'"
    ).fetchone()
    return row["job_id"]


@pytest.fixture
def rejected(lived_in, owner):
    """A conversation that was rejected."""
    row = owner.execute(
        "SELECT conversation_id::text FROM analytics.rejections ORDER BY created_at LIMIT 1"
    ).fetchone()
    return row["conversation_id"]


@pytest.fixture
def ask(panels_of, query):
    """Run the SQL of a panel of a dashboard for what is chosen there."""

    def run(uid, title, chosen):
        sql = panels_of(uid)[title]["targets"][0]["rawSql"]
        return query(sql, {uid.removeprefix("fleet-"): [chosen]})

    return run


def test_counts_are_the_job_s(ask, billing):
    """Seven wanted: three accepted, two rejected, one given up, one being written."""
    (row,) = ask("fleet-job", "Conversations", billing)

    assert {name: row[name] for name in ("wanted", "accepted", "rejected", "failed")} == {
        "wanted": 7, "accepted": 3, "rejected": 2, "failed": 1,
    }  # fmt: skip
    assert row["to judge"] == 0
    assert row["progress"] == pytest.approx(6 / 7)


def test_order_is_told_in_words(ask, billing):
    """What was ordered, by whom, for which machines."""
    (row,) = ask("fleet-job", "The order, and what can be done with it", billing)

    assert row["job_name"] == f"7 conversations of healthcare_billing by tests ({billing[:8]})"
    assert row["order"] == "6 to 8 turns, priority 5. It ends when 7 are written."
    assert row["machines"].startswith("Machines: any. Seed ")
    assert row["since"].endswith(f"by tests. Id {billing}")


def test_yield_and_cost_are_those_of_its_conversations(ask, billing, owner):
    """For each accepted one, what all judged ones cost."""
    (row,) = ask("fleet-job", "Yield and cost", billing)
    told = owner.execute(
        "SELECT sum(completion_tokens)::float AS tokens, sum(generation_seconds) AS seconds"
        " FROM fleet.conversations WHERE job_id = %s",
        [billing],
    ).fetchone()

    assert row["accepted of judged"] == pytest.approx(3 / 5)
    assert row["tokens each"] == pytest.approx(told["tokens"] / 3)
    assert row["time each"] == pytest.approx(told["seconds"] / 3)


def test_machines_have_their_tasks(ask, billing):
    """Alpha wrote five, gave one up, and holds one."""
    (row,) = ask("fleet-job", "Conversations by machine", billing)

    assert (row["Node"], row["Written"], row["Given up"], row["Writing"]) == (
        "alpha", 5, 1, 1,
    )  # fmt: skip


def test_progress_ends_with_all_verdicts(ask, billing):
    """The last point is the sum."""
    last = ask("fleet-job", "Accepted and rejected, summed up", billing)[-1]

    assert (last["accepted"], last["rejected"]) == (3, 2)


def test_what_went_wrong_is_the_job_s_alone(ask, billing, owner):
    """Rejections with evidence and failures with their message; another job has none."""
    (rejection,) = ask("fleet-job", "Rejections by reason", billing)
    (failure,) = ask("fleet-job", "Failed attempts", billing)
    other = owner.execute(
        "SELECT job_id::text FROM analytics.jobs WHERE scenario = 'mixed' LIMIT 1"
    ).fetchone()["job_id"]

    assert (rejection["Reason"], rejection["Times"]) == ("repeated_turn", 2)
    assert rejection["Last evidence"] == "turn 3 equals turn 5"
    assert (failure["What"], failure["Node"], failure["Last message"]) == (
        "empty", "alpha", "no answer",
    )  # fmt: skip
    assert ask("fleet-job", "Rejections by reason", other) == []
    assert ask("fleet-job", "Failed attempts", other) == []


def test_what_people_did_with_it(ask, billing, owner):
    """The audit rows of this job alone."""
    for target in (f"job {billing}", f"job {ABSENT}"):
        owner.execute(
            "SELECT control.write_audit('ada', 'operator', 'grafana', 'jobs.pause', %s, 'done',"
            " 'noise', NULL)",
            [target],
        )

    rows = ask("fleet-job", "What people did with it", billing)

    assert [(row["Who"], row["What"], row["Why"]) for row in rows] == [
        ("ada as operator", "jobs.pause", "noise"),
        ("ada as admin", "jobs.submit", "first"),
    ]


@pytest.mark.parametrize("chosen", ["", "no id'; --", ABSENT])
def test_what_is_no_job_is_no_error(ask, lived_in, chosen):
    """A link with a wrong id shows that there is no such job."""
    assert ask("fleet-job", "State", chosen) == []


def test_words_are_masked_and_in_order(ask, rejected):
    """Turn by turn, without a personal value."""
    rows = ask("fleet-conversation", "What was said", rejected)

    assert [row["Turn"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[0]["Speaker"] == "agent"
    assert rows[1]["Words"].startswith("This is [PII], account [PII], about my bill.")


def test_rejection_has_its_evidence(ask, rejected):
    """Verdict, reason, stage, evidence."""
    assert ask("fleet-conversation", "Verdict", rejected) == [{"state": "rejected"}]
    assert ask("fleet-conversation", "Why it was rejected", rejected) == [
        {"Reason": "repeated_turn", "Stage": "checks", "Evidence": "turn 3 equals turn 5"}
    ]


def test_conversation_names_its_job_and_machine(ask, rejected, billing):
    """Both are links: the id of the job stands in a hidden column."""
    (row,) = ask("fleet-conversation", "Where it comes from", rejected)

    assert (row["Job"], row["job_id"]) == ("7 of healthcare_billing by tests", billing)
    assert (row["Node"], row["Model"], row["Judged by"]) == ("alpha", "tiny", "alpha")


def test_calls_are_its_own(ask, rejected):
    """One call was made for it."""
    (row,) = ask("fleet-conversation", "Calls to the model server", rejected)

    assert (row["Outcome"], row["Prompt tokens"], row["Tokens"]) == ("ok", 300, 200)


def test_neighbours_lead_there_and_back(ask, rejected):
    """The next one's previous one is this one."""
    shown = ask("fleet-conversation", "Before and after it", rejected)
    steps = {row["Which"]: row["conversation_id"] for row in shown}
    other, back = ("next", "previous") if "next" in steps else ("previous", "next")

    around = ask("fleet-conversation", "Before and after it", steps[other])

    assert rejected in {row["conversation_id"] for row in around if row["Which"] == back}


def test_without_an_id_it_is_the_newest(ask, lived_in, owner):
    """The page opened from the menu shows something; a wrong id shows nothing."""
    newest = owner.execute(
        "SELECT job_id::text, created_at FROM analytics.conversations ORDER BY created_at DESC"
    ).fetchone()

    (row,) = ask("fleet-conversation", "Where it comes from", "")

    assert row["Written"] == newest["created_at"]
    assert ask("fleet-conversation", "Where it comes from", "no id'") == []
