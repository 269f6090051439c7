"""Counts that are kept while tasks and verdicts change equal what there is."""

from __future__ import annotations

import random
import threading
import uuid

import psycopg
import pytest
from fix_fleet import TURNS, fleet_error
from fleet_orchestrator.rounds import STEPS

TASK_STATES = ("pending", "claimed", "running", "done", "failed", "cancelled")
VERDICTS = ("unjudged", "accepted", "rejected")
TOKENS = "coalesce(sum(prompt_tokens), 0)::bigint AS p, coalesce(sum(completion_tokens), 0)::bigint"


def filters(states):
    return ", ".join(f"count(*) FILTER (WHERE state = '{state}') AS {state}" for state in states)


COUNTED = {
    "job_counts": f"""
        SELECT * FROM (SELECT job_id, {filters(TASK_STATES)} FROM fleet.tasks GROUP BY 1) t
        LEFT JOIN (SELECT job_id, {filters(VERDICTS)}, {TOKENS} FROM fleet.conversations
                   GROUP BY 1) c USING (job_id)""",
    "node_counts": f"""
        SELECT node, {filters(VERDICTS)}, {TOKENS} FROM fleet.conversations GROUP BY 1""",
    "scenario_counts": f"""
        SELECT scenario, {filters(VERDICTS)}, {TOKENS} FROM fleet.conversations GROUP BY 1""",
}


class Run:
    """Calls all functions that change tasks and conversations, in an order of chance."""

    def __init__(self, fleet, seed):
        self.fleet, self.chance = fleet, random.Random(seed)
        self.held, self.unjudged, self.worker = [], [], uuid.uuid4()

    def step(self):
        actions = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("do_")]
        self.chance.choice(actions)()

    def take(self, some):
        """Remove one at random, and yield it if there is any."""
        if some:
            yield some.pop(self.chance.randrange(len(some)))

    def node(self):
        return self.chance.choice(("alpha", "beta"))

    def do_submit(self):
        if self.fleet.value("SELECT count(*) FROM fleet.tasks WHERE state = 'pending'") < 20:
            scenario = self.chance.choice(("complaint", "lab_results", "mixed"))
            self.fleet.submit(scenario, self.chance.randint(1, 6))

    def do_claim(self):
        self.held += self.fleet.claim(self.chance.randint(1, 4), self.node())

    do_claim_again = do_claim

    def do_finish(self):
        for held in self.take(self.held):
            self.fleet.rows(
                "SELECT fleet.record_llm_request(%s, %s, 'tiny', %s, 20, 1, 0.1, 'ok')",
                uuid.uuid4(), held.row["task_id"], self.chance.choice((None, 100)), user=held.node,
            )  # fmt: skip
            held.write()

    do_finish_another = do_finish

    def do_release(self):
        for held in self.take(self.held):
            held.start().release()

    def do_fail(self):
        for held in self.take(self.held):
            held.fail()

    def do_decide(self):
        self.fleet.decide(can_write=self.chance.random() < 0.7, node=self.node())

    def do_reject(self):
        for held in self.take(self.held):
            verdict = ("tiny", "repetition", "checks", "x", b"r", [*TURNS], "checks", 1, 2)
            held.start().store().call("reject_task", *verdict)

    def do_judge(self):
        self.unjudged += self.fleet.rows(
            "SELECT conversation_id FROM fleet.claim_judgements(%s, 3)", self.worker, user="alpha"
        )
        for row in self.take(self.unjudged):
            why = self.chance.choice(((None, None, None), ("repetition", "checks", "x")))
            self.fleet.rows(
                "SELECT fleet.store_verdict(%s, %s, %s, %s, %s, %s, %s, 'checks', 1, 2)",
                row["conversation_id"], self.worker, *why, b"%d" % self.chance.randrange(50),
                [*TURNS], user="alpha",
            )  # fmt: skip

    do_judge_another = do_judge

    def do_lose(self):
        if self.chance.random() < 0.2:
            self.fleet.let_leases_end()
            self.held, self.unjudged = [], []
            self.fleet.rows("UPDATE fleet.conversations SET judging_worker_id = NULL")
            self.do_keep()

    def do_keep(self):
        for step in (*(step.name for step in STEPS), "fold_counts"):
            self.fleet.rows(f"SELECT fleet.{step}()")

    def jobs(self, states):
        return self.fleet.rows(
            "SELECT job_id FROM fleet.jobs WHERE state = ANY (%s::fleet.job_state[])"
            " ORDER BY created_at",
            list(states),
        )

    def do_steer(self):
        for job in self.take(self.jobs(("pending", "running"))):
            steer = ("pause_job(%s)", "resume_job(%s)", "move_job(%s, 'first')")
            self.fleet.rows(f"SELECT fleet.{self.chance.choice(steer)}", job["job_id"])
            self.held = [held for held in self.held if self.is_claimed(held)]

    def do_retry(self):
        for job in self.take(self.jobs(("running", "done", "failed"))):
            self.fleet.rows("SELECT fleet.retry_job(%s)", job["job_id"])

    def do_cancel(self):
        jobs = self.jobs(("pending", "running"))
        if self.chance.random() < 0.2:
            for job in self.take(jobs):
                self.fleet.rows("SELECT fleet.cancel_job(%s)", job["job_id"])
                self.held = [held for held in self.held if self.is_claimed(held)]

    def is_claimed(self, held):
        return self.fleet.task(held)["state"] == "claimed"


def read(fleet, name):
    """Return what is counted, and what is there, by their first column."""
    kept = fleet.connection().execute(f"SELECT * FROM fleet.{name}").fetchall()
    there = fleet.connection().execute(COUNTED[name]).fetchall()
    return [
        {str(row[next(iter(row))]): [value or 0 for value in row.values()][1:] for row in rows}
        for rows in (kept, there)
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_counts_equal_what_there_is(fleet, seed):
    """After any order of calls the counts are those of count(*), folded or not."""
    fleet.set("task_attempts_max", 1)
    run = Run(fleet, seed)
    for number in range(120):
        run.step()
        if number % 30 == 29:
            for name in COUNTED:
                kept, there = read(fleet, name)
                assert kept == there
    fleet.submit(priority=9)
    fleet.claim_one().fail()
    fleet.decide(can_write=True)
    fleet.rows("SELECT fleet.cancel_job(%s)", fleet.submit())

    fleet.rows("SELECT fleet.fold_counts()")
    assert fleet.value("SELECT count(*) FROM fleet.count_changes") == 0
    for name in COUNTED:
        kept, there = read(fleet, name)
        assert kept == there
    states = {row["state"] for row in fleet.rows("SELECT DISTINCT state FROM fleet.tasks")}
    assert states >= {"done", "failed", "cancelled"}
    verdicts = {
        row["state"] for row in fleet.rows("SELECT DISTINCT state FROM fleet.conversations")
    }
    assert verdicts >= {"accepted", "rejected"}


def test_recount_finds_the_same(fleet):
    """What a database from before the counts needs changes nothing that is right."""
    run = Run(fleet, 4)
    for _ in range(80):
        run.step()
    before = {name: read(fleet, name)[0] for name in COUNTED}

    fleet.rows("DELETE FROM fleet.job_totals")
    fleet.rows("SELECT fleet.recount()")

    assert {name: read(fleet, name)[0] for name in COUNTED} == before


def test_every_transition_is_one_row(fleet):
    """The log of a task tells each state that it had, in order, with node and reason."""
    fleet.submit()
    fleet.claim_one().start().release("told to stop")
    held = fleet.claim_one("beta")
    held.write()

    rows = fleet.rows(
        "SELECT node, attempt, state_before || ' ' || state AS change, reason"
        " FROM analytics.task_transitions WHERE task_id = %s ORDER BY time",
        held.key[0],
    )

    assert [tuple(row.values()) for row in rows] == [
        ("alpha", 1, "pending claimed", None),
        ("alpha", 1, "claimed running", None),
        ("alpha", 1, "running pending", "told to stop"),
        ("beta", 2, "pending claimed", None),
        ("beta", 2, "claimed running", None),
        ("beta", 2, "running done", None),
    ]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE fleet.tasks SET state = 'running'", ("cannot become running", "it is done")),
        ("UPDATE fleet.tasks SET state = 'pending'", ("cannot become pending", "it is done")),
        ("UPDATE fleet.jobs SET state = 'pending'", ("cannot become pending", "it is running")),
        (
            "UPDATE fleet.conversations SET state = 'unjudged'",
            ("cannot become unjudged", "it is rejected"),
        ),
        (
            (
                "INSERT INTO fleet.tasks (job_id, position, scenario, seed, state) "
                "SELECT job_id, 99, 'complaint', 1, 'done' FROM fleet.jobs"
            ),
            ("cannot become done", "it is new"),
        ),
        (
            (
                "INSERT INTO fleet.jobs (mix, wanted, min_turns, max_turns, seed, requested_by,"
                " state) VALUES ('{}', 1, 6, 8, 1, 'x', 'done')"
            ),
            ("cannot become done", "it is new"),
        ),
    ],
)
def test_illegal_change_is_refused(fleet, sql, told):
    """Also the owner of the database cannot have a state follow one that it may not follow."""
    fleet.submit()
    verdict = ("tiny", "repetition", "checks", "x", b"r", [*TURNS], "checks", 1, 2)
    fleet.claim_one().start().store().call("reject_task", *verdict)

    with fleet_error(*told, "fleet.legal_changes", sqlstate="55000"):
        fleet.rows(sql)


def test_writers_do_not_wait_for_each_other(fleet):
    """Two transactions change tasks of one job at one node, and neither waits for the other."""
    fleet.submit(count=2)
    with fleet.database.connect("alpha") as first, fleet.database.connect("alpha") as second:
        second.execute("SET lock_timeout = '1s'")
        with first.transaction(), second.transaction():
            claimed = [
                connection.execute(
                    "SELECT task_id FROM fleet.claim_tasks(%s, 1)", [uuid.uuid4()]
                ).fetchall()
                for connection in (first, second)
            ]

    assert [len(rows) for rows in claimed] == [1, 1]


def test_fold_beside_writers_loses_nothing(fleet):
    """Folding while tasks are claimed and finished counts each of them once."""
    fleet.submit(count=40)
    stop, errors = threading.Event(), []

    def fold():
        with fleet.database.connect() as connection:
            while not stop.is_set():
                try:
                    connection.execute("SELECT fleet.fold_counts()")
                except psycopg.Error as exc:
                    errors.append(exc)

    folders = [threading.Thread(target=fold) for _ in range(2)]
    for folder in folders:
        folder.start()
    for _ in range(40):
        fleet.claim_one().write()
    stop.set()
    for folder in folders:
        folder.join()

    assert errors == []
    for name in COUNTED:
        kept, there = read(fleet, name)
        assert kept == there
