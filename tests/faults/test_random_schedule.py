"""
Kills, freezes and restarts of the database, drawn by chance, while 500 tasks are written.

Two machines with real supervisors, agents, workers and masters; leases and heartbeats are a tenth.
FLEET_TEST_SEED=NUMBER plays a schedule again; a failure tells its seed.
"""

from __future__ import annotations

import os
import random
import signal

import model_server as model_server_module
import psycopg
import pytest
from fix_fleet import wait_until
from fix_postgres import NODES, Server, make_database
from machines import Machine
from psycopg.types.json import Jsonb

model_server = model_server_module.model_server

TASKS = 500
FAULTS = 14  # spread over the tasks: the next one comes when a share of them is done
PATIENCE = 120  # seconds; bounds a hang, says nothing of our speed
SETTINGS = {
    "lease_seconds": 3,
    "heartbeat_seconds": 0.5,
    "leader_lease_seconds": 1,
    "generation_method": "one_shot",  # one call a conversation: the faults are what is tested
}
DONE = "SELECT count(*) AS n FROM fleet.tasks WHERE state IN ('done', 'failed')"
HELD = "SELECT count(*) AS n FROM fleet.tasks WHERE state IN ('claimed', 'running')"
OPEN = "SELECT count(*) AS n FROM fleet.conversations WHERE state = 'unjudged'"
TWICE = """SELECT task_id FROM fleet.tasks t LEFT JOIN fleet.conversations c USING (task_id)
GROUP BY task_id, t.state HAVING count(c) <> (t.state = 'done')::int"""
COUNTED = """SELECT labels ->> 'outcome' AS outcome, sum(value)::int AS n FROM fleet.node_counters
WHERE name = 'fleet_conversations_total' GROUP BY 1"""
RESULTS = """
SELECT state::text AS outcome, count(*)::int AS n FROM fleet.conversations GROUP BY 1
UNION ALL SELECT 'failed', count(*)::int FROM fleet.tasks WHERE state = 'failed'
HAVING count(*) > 0"""
JOB = """SELECT pending + claimed + running AS open, done + failed AS ended, unjudged,
accepted + rejected AS judged FROM fleet.job_counts"""
KILLED = "SELECT message FROM analytics.events WHERE message ~ 'killed by SIGKILL'"


class Schedule:
    """The two machines, their database, and what was done to them; `told` is for who reads."""

    def __init__(self, seed, server, machines):
        self.draw = random.Random(seed)
        self.server, self.machines = server, machines
        self.killed = []  # (program, node, process)
        self.told = [f"seed {seed}"]

    def number(self, query):
        """The only number of a query; None while the database is away."""
        try:
            with self.server.connect() as owner:
                return next(iter(owner.execute(query).fetchone().values()))
        except psycopg.OperationalError:
            return None

    def wait_for_tasks(self, done):
        wait_until(lambda: (self.number(DONE) or 0) >= done, f"{done} tasks; {self.told}", PATIENCE)

    def strike(self):
        """Do something bad, drawn by chance, and wait until what was hit is back."""
        blow = self.draw.choice(
            [self.kill, self.kill, self.kill, self.freeze_worker, self.freeze_master, self.restart]
        )
        self.told.append(blow())

    def kill(self):
        machine, program = self.draw.choice(self.machines), self.draw.choice(PROGRAMS)
        machine.wait_for("worker")
        self.killed.append((program, machine.node, machine.kill(program)))
        return f"killed {self.killed[-1]}"

    def freeze_worker(self):
        """Freeze a worker until its tasks were taken from it; what it then says is refused."""
        machine = self.draw.choice(self.machines)
        pid = machine.send("worker", signal.SIGSTOP)
        held = f"{HELD} AND node = '{machine.node}'"
        wait_until(lambda: self.number(held) == 0, f"tasks of {machine.node} are taken", PATIENCE)
        os.kill(pid, signal.SIGCONT)
        return f"froze the worker of {machine.node} ({pid})"

    def freeze_master(self):
        """Freeze the master that leads until the other one does."""
        leader = wait_until(self.find_leader, "a master leads", PATIENCE)
        other = next(machine for machine in self.machines if machine is not leader)
        pid = leader.send("master", signal.SIGSTOP)
        wait_until(other.is_leading, f"the master of {other.node} leads", PATIENCE)
        os.kill(pid, signal.SIGCONT)
        return f"froze the master of {leader.node} ({pid})"

    def find_leader(self):
        return next((machine for machine in self.machines if machine.is_leading()), None)

    def restart(self):
        mode = self.draw.choice(["fast", "immediate"])
        self.server.stop(mode)
        self.server.start()
        return f"restarted the database ({mode})"

    def end(self):
        for machine in self.machines:
            machine.end()


PROGRAMS = ("worker", "node", "master")


@pytest.fixture
def schedule(postgres, model_server):
    """Two machines that write 500 tasks."""
    server = Server(postgres.programs)
    made = None
    try:
        make_database(server.port)
        with server.connect() as owner:
            owner.execute("ALTER ROLE fleet_master LOGIN")
            for key, value in SETTINGS.items():
                owner.execute(
                    "SELECT fleet.set_config('fleet', %s, %s, 'tests', '')", [key, Jsonb(value)]
                )
            owner.execute("SELECT fleet.submit_job('mixed', %s, 'tests', 4, 4)", [TASKS])
        machines = [Machine(node, server, model_server.url) for node in NODES]
        seed = int(os.environ.get("FLEET_TEST_SEED") or random.SystemRandom().getrandbits(32))
        made = Schedule(seed, server, machines)
        for machine in machines:
            machine.start()
        yield made
    finally:
        if made:
            made.end()
        server.remove()


def test_no_task_is_lost_or_doubled(schedule):
    """One result a task, each counted once, no lease left, and an event for each kill."""
    for number in range(FAULTS):
        schedule.wait_for_tasks(number * TASKS // FAULTS)
        schedule.strike()
    schedule.wait_for_tasks(TASKS)
    wait_until(lambda: schedule.number(OPEN) == 0, f"all are judged; {schedule.told}", PATIENCE)

    with schedule.server.connect() as owner:
        told = lambda: [row["message"] for row in owner.execute(KILLED)]  # noqa: E731
        for program, node, pid in schedule.killed:
            words = f" on {node} (process {pid}) was killed by SIGKILL"
            wait_until(
                lambda words=words: any(words in message for message in told()),
                f"the kill of {program} on {node} ({pid}) is told; {schedule.told}; {told()}",
            )
        results = {row["outcome"]: row["n"] for row in owner.execute(RESULTS)}
        counted = {row["outcome"]: row["n"] for row in owner.execute(COUNTED)}
        twice = owner.execute(TWICE).fetchall()
        leases = owner.execute("SELECT FROM fleet.tasks WHERE lease_until IS NOT NULL").fetchall()
        job = owner.execute(JOB).fetchone()
    assert (twice, leases) == ([], []), schedule.told
    assert sum(results.values()) == TASKS, schedule.told
    assert counted == results, schedule.told
    judged = results.get("accepted", 0) + results.get("rejected", 0)
    assert job == {"open": 0, "ended": TASKS, "unjudged": 0, "judged": judged}, schedule.told
