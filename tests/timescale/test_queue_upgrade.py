"""A queue from before there were counts and places: what it holds is counted, and goes on."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest
from fleet_orchestrator.generation import catalogue
from fleet_timescale.migrate import migrate

sys.path.insert(0, str(Path(__file__).parent))

from before import database_before

WORK = """
INSERT INTO fleet.nodes (node, node_id, login) VALUES ('alpha', gen_random_uuid(), session_user);
INSERT INTO fleet.scenarios VALUES ('complaint', 'Complaint', false, '{}', 1);
INSERT INTO fleet.prompts (name, version, method, template) VALUES ('x', 1, 'one_shot', 'x');
INSERT INTO fleet.jobs (mix, wanted, split, min_turns, max_turns, state, seed, requested_by)
SELECT '{"complaint": 1}', 10, 10, 6, 8, 'running', 1, name FROM unnest('{old,new}'::text[]) name;
INSERT INTO fleet.tasks (job_id, position, scenario, seed, state, node, finished_at)
SELECT job_id, n, 'complaint', n, CASE WHEN n <= 6 AND requested_by = 'old' THEN 'done'
  ELSE 'pending' END::fleet.task_state, 'alpha', now()
FROM fleet.jobs, generate_series(1, 10) n;
INSERT INTO fleet.conversations (task_id, job_id, node, model, scenario, prompt_id, persona, state,
  turns, prompt_tokens, completion_tokens)
SELECT task_id, job_id, 'alpha', 'tiny', 'complaint', 1, '{}',
  CASE position WHEN 1 THEN 'rejected' ELSE 'accepted' END::fleet.conversation_state, 8, 10, 5
FROM fleet.tasks WHERE state = 'done';
UPDATE fleet.conversations SET judged_by = 'alpha', judged_at = now();
INSERT INTO fleet.grades (conversation_id, judge, checks_passed, checks_total)
SELECT conversation_id, 'checks', 10, CASE state WHEN 'rejected' THEN 12 ELSE 10 END
FROM fleet.conversations;
INSERT INTO fleet.rejections (conversation_id, reason, stage, evidence)
SELECT conversation_id, 'refusal', 'checks', '' FROM fleet.conversations WHERE state = 'rejected';
"""


@pytest.fixture
def upgraded(postgres):
    """A database with two jobs, the older one half written, that has been migrated since."""
    with database_before(postgres, "keep_counts") as connection:
        connection.execute(WORK)
        migrate(connection)
        catalogue.load(connection)
        yield connection


def test_what_was_there_is_counted(upgraded):
    """Tasks, conversations and tokens of each job, node and scenario."""
    (old,) = upgraded.execute(
        "SELECT c.* FROM fleet.job_counts c JOIN fleet.jobs USING (job_id)"
        " WHERE requested_by = 'old'"
    ).fetchall()

    assert (old["done"], old["pending"], old["completion_tokens"]) == (6, 4, 30)
    seen = "SELECT jobs_done FROM analytics.nodes WHERE node = 'alpha'"
    assert upgraded.execute(seen).fetchall() == [{"jobs_done": 6}]
    seen = "SELECT accepted, rejected FROM analytics.scenarios WHERE scenario = 'complaint'"
    assert upgraded.execute(seen).fetchall() == [{"accepted": 5, "rejected": 1}]


def test_verdicts_are_counted(upgraded):
    """Checks and reasons of before stand in the counters of the node that judged."""
    rows = upgraded.execute("SELECT name, labels, value FROM fleet.node_counters").fetchall()

    assert sorted((row["name"], *row["labels"].values(), row["value"]) for row in rows) == [
        ("fleet_quality_checks_total", "failed", 2),
        ("fleet_quality_checks_total", "passed", 60),
        ("fleet_rejections_total", "refusal", 1),
    ]


def test_open_jobs_share_from_where_they_are(upgraded):
    """What the older one was given before is not held against it."""
    served = [
        upgraded.execute(
            "SELECT j.requested_by AS job FROM fleet.claim_tasks(%s, 1) c"
            " JOIN fleet.tasks USING (task_id) JOIN fleet.jobs j USING (job_id)",
            [uuid.uuid4()],
        ).fetchone()["job"]
        for _ in range(6)
    ]

    assert sorted(served) == ["new"] * 3 + ["old"] * 3
