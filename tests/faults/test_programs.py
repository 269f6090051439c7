"""Workers and masters killed and frozen in the middle of their work: nothing lost or doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import fix_fleet
import model_server as model_server_module
import pytest
from fix_fleet import wait_until
from machines import Machine
from model_server import Answer

fleet, module_database = fix_fleet.fleet, fix_fleet.module_database
model_server, environ = model_server_module.model_server, model_server_module.environ

SETTINGS = {"lease_seconds": 2, "heartbeat_seconds": 0.5, "leader_lease_seconds": 1}
TURNS = "SELECT count(*) FROM fleet.turns"
ATTEMPTS = "SELECT attempt FROM fleet.turns ORDER BY position"
RESULTS = "SELECT node, state FROM analytics.conversations"
TASK = "SELECT state, attempt, lease_until FROM analytics.tasks"
SPLIT = "SELECT count(*) AS n, count(DISTINCT (job_id, position)) AS places FROM fleet.tasks"
KINDS = "SELECT kind FROM analytics.events WHERE kind = %s"


@pytest.fixture
def make_machine(fleet, model_server):
    """Machines with quick leases and heartbeats; they end with the test."""
    made = []
    for key, value in SETTINGS.items():
        fleet.set(key, value)

    def start(node):
        machine = Machine(node, fleet.database, model_server.url)
        made.append(machine)
        machine.start()
        return machine

    yield start
    model_server.go_on.set()
    for machine in made:
        machine.end()


def order(fleet, count=1):
    return fleet.value("SELECT fleet.submit_job('order_status', %s, 'tests', 6, 6)", count)


def test_killed_worker_loses_no_turn(fleet, make_machine, model_server):
    """The next attempt goes on after the stored turns; one result, and the kill is told."""
    model_server.plan.append(Answer("hang", 2))
    order(fleet)
    alpha = make_machine("alpha")
    wait_until(lambda: fleet.value(TURNS) == 2, "two turns")

    pid = alpha.kill("worker")

    wait_until(lambda: fleet.rows(RESULTS), "the result")
    assert [row["attempt"] for row in fleet.rows(ATTEMPTS)] == [1, 1, 2, 2, 2, 2]
    assert fleet.rows(RESULTS) == [{"node": "alpha", "state": "accepted"}]
    assert fleet.rows(TASK) == [{"state": "done", "attempt": 2, "lease_until": None}]
    told = "SELECT message FROM analytics.events WHERE message ~ %s"
    words = f"The worker on alpha .process {pid}. was killed by SIGKILL"
    wait_until(lambda: fleet.rows(told, words), "the kill is told")


def test_worker_that_slept_through_its_lease_is_refused(fleet, make_machine, model_server):
    """What was frozen wakes up when another has written the conversation: it changes nothing."""
    model_server.plan.append(Answer("hang", 2))
    order(fleet)
    alpha = make_machine("alpha")
    wait_until(lambda: fleet.value(TURNS) == 2, "two turns")
    pid = alpha.send("worker", signal.SIGSTOP)
    make_machine("beta")
    wait_until(lambda: fleet.rows(RESULTS), "the other's result")
    before = fleet.rows("SELECT * FROM fleet.turns ORDER BY position")

    os.kill(pid, signal.SIGCONT)
    model_server.go_on.set()

    refused = ("no longer ours", "was taken back already")
    wait_until(lambda: any(words in alpha.read_log() for words in refused), "it is refused")
    assert fleet.rows(RESULTS) == [{"node": "beta", "state": "accepted"}]
    (task,) = fleet.rows(TASK)
    assert (task["state"], task["lease_until"]) == ("done", None)
    assert task["attempt"] >= 2  # on a busy machine the other may lose a lease too
    assert fleet.rows("SELECT * FROM fleet.turns ORDER BY position") == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_standby_takes_over_from_a_lost_leader(fleet, make_machine, number):
    """Orders are split once each, by whoever leads; the old leader comes back as a standby."""
    machines = [make_machine("alpha"), make_machine("beta")]
    order(fleet, 20)
    wait_until(lambda: fleet.rows(SPLIT)[0]["n"] == 20, "the first order is split")
    leader = wait_until(lambda: next((m for m in machines if m.is_leading()), None), "a leader")
    other = next(machine for machine in machines if machine is not leader)

    pid = leader.send("master", number)
    order(fleet, 30)
    wait_until(other.is_leading, "the standby leads")
    if number == signal.SIGSTOP:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: leader.wait_for("master") and not leader.is_leading(), "it stands by")
    order(fleet, 10)

    wait_until(lambda: fleet.rows(SPLIT)[0]["n"] >= 60, "all orders are split")
    assert fleet.rows(SPLIT) == [{"n": 60, "places": 60}]
    assert fleet.rows(KINDS, "node_failover")
    assert other.is_leading()


CLOCK = """
import datetime, sys, time
real, shift = time.time, {shift}
class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)
datetime.datetime, time.time = Shifted, lambda: real() + shift
from fleet_orchestrator.worker import main
sys.exit(main([]))
"""


@pytest.mark.parametrize("shift", [86400, -3600], ids=["a day ahead", "an hour behind"])
def test_wrong_clock_of_a_worker_moves_no_lease(fleet, model_server, environ, shift):
    """Its lease is renewed by the database's clock: no early end, no lease for ever."""
    fleet.set("lease_seconds", 1)
    model_server.plan.append(Answer("late", 2))
    order(fleet)
    fleet.rows("SELECT fleet.split_jobs()")
    command = [sys.executable, "-c", CLOCK.format(shift=shift)]
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE) as process:
        try:
            wait_until(lambda: fleet.value(TURNS) == 2, "two turns")
            leases = set()
            sweep = "SELECT fleet.sweep_tasks() AS value"
            wait_until(
                lambda: (
                    fleet.value(sweep) == 0
                    and (leases.add(fleet.rows(TASK)[0]["lease_until"]) or len(leases) >= 5)
                ),
                "the lease was renewed four times, and never taken",
            )
            ahead = fleet.value(
                "SELECT extract(epoch FROM max(lease_until) - clock_timestamp()) FROM fleet.tasks"
            )
            model_server.go_on.set()
            wait_until(lambda: fleet.rows(RESULTS), "the result")
        finally:
            process.kill()

    assert ahead <= 1
    assert fleet.rows(TASK) == [{"state": "done", "attempt": 1, "lease_until": None}]
