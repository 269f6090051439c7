"""What claims and upkeep read of a full queue: some pages, however many tasks there are."""

from __future__ import annotations

import uuid

import pytest
from fix_postgres import copy_database
from fleet_orchestrator.fleet_metrics import TASKS
from fleet_orchestrator.rounds import STEPS

JOBS, ENDED, WAITING = 20, 1000, 300  # and of each job so many tasks that ended, and that wait
# Past the triggers, as a backup is loaded; nobody has told the planner what is in it.
FILL = f"""
SET session_replication_role = replica;
INSERT INTO fleet.jobs (mix, wanted, split, min_turns, max_turns, state, seed, requested_by)
SELECT '{{"complaint": 1}}', {ENDED + WAITING}, {ENDED + WAITING}, 6, 8, 'running', n, 'tests'
FROM generate_series(1, {JOBS}) n;
INSERT INTO fleet.tasks (job_id, position, place, scenario, seed, state, attempt, node, finished_at)
SELECT j.job_id, n, n, 'complaint', n, 'done', 1, 'alpha', now() - interval '2 hours'
FROM fleet.jobs j, generate_series(1, {ENDED}) n;
INSERT INTO fleet.tasks (job_id, position, place, scenario, seed)
SELECT j.job_id, n, n, 'complaint', n
FROM fleet.jobs j, generate_series({ENDED + 1}, {ENDED + WAITING}) n;
RESET session_replication_role;
SELECT fleet.recount();
"""
STATEMENTS = {
    **{step.name: f"SELECT fleet.{step.name}()" for step in STEPS},
    "standing": TASKS,
    "claim": "SELECT fleet.claim_tasks(gen_random_uuid(), 1)",
    "fold": "SELECT fleet.fold_counts()",
}


@pytest.fixture(scope="module")
def full(database_template):
    """A database with many tasks, of which a worker holds one and another's lease has ended."""
    with copy_database(database_template) as copy, copy.connect() as owner:
        owner.execute("ALTER TABLE fleet.tasks SET (autovacuum_enabled = off)")
        owner.execute(FILL)
        with copy.connect("alpha") as alpha:
            for _ in range(2):
                alpha.execute("SELECT fleet.claim_tasks(%s, 1)", [uuid.uuid4()])
        owner.execute(
            "UPDATE fleet.tasks SET lease_until = now() - interval '1 ms' WHERE task_id ="
            " (SELECT task_id FROM fleet.tasks WHERE state = 'claimed' LIMIT 1)"
        )
        yield copy


def read_pages(connection, sql):
    """Run it; return how many pages it read, those of the functions that it calls included."""
    connection.execute("BEGIN")
    row = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}").fetchone()
    connection.execute("ROLLBACK")
    plan = row["QUERY PLAN"][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


@pytest.mark.parametrize("name", STATEMENTS)
def test_full_queue_is_not_read(full, name):
    """Once the catalogues are known, each statement finds what it needs by index or by counts."""
    user = "alpha" if name == "claim" else "fleet_owner"
    with full.connect(user) as connection, full.connect() as owner:
        read_pages(connection, STATEMENTS[name])
        pages = read_pages(connection, STATEMENTS[name])
        size = owner.execute("SELECT pg_relation_size('fleet.tasks') / 8192 AS n").fetchone()["n"]

    assert size > 400
    assert pages < 200
