"""The node agent: one worker at a time, started again, woken, told its settings, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import psycopg
import pytest
from fix_fleet import wait_until
from fleet_orchestrator.agent.child import Child
from fleet_orchestrator.agent.keeper import decide_restart_delay
from fleet_orchestrator.node import run
from fleet_orchestrator.settings import NodeSettings

AWAY = "SELECT node FROM analytics.events WHERE kind = 'database_away'"
PROGRAMS = "SELECT node, message FROM analytics.events WHERE kind ~ '^program' ORDER BY time"
HEARTBEAT = "SELECT last_heartbeat_at FROM fleet.nodes WHERE node = 'alpha'"


class Agent:
    """An agent in a thread, with a command that stands for the worker."""

    def __init__(self, fleet, folder, beside):
        self.fleet, self.folder, self.beside = fleet, folder, beside
        self.stop, self.child = threading.Event(), None
        self.settings = NodeSettings(
            "", folder, "http://127.0.0.1:9/v1", "tiny", "alpha", folder / "events.json"
        )

    def start(self, *command, connect=None):
        self.child = Child(command=command)
        connect = connect or (lambda: self.fleet.database.connect("alpha"))
        self.thread = self.beside(run, self.settings, connect, self.child, self.stop, 0.2)
        return wait_until(lambda: self.child.process, "the worker is started").pid

    def end(self):
        self.stop.set()
        self.thread.join(10)


@pytest.fixture
def agent(fleet, tmp_path, beside):
    made = Agent(fleet, tmp_path, beside)
    yield made
    made.stop.set()


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("ran", "restarts", "delay"),
    [(3, 1, 0.2), (3, 2, 0.4), (3, 3, 0.8), (3, 6, 5.0), (3, 5000, 5.0), (31, 1, 0.0)],
)
def test_restarts_back_off(ran, restarts, delay):
    """At once after a steady run; else 0.2 s, doubled each time, up to 5 s for ever."""
    assert decide_restart_delay(ran, restarts) == pytest.approx(delay)


def test_killed_worker_is_started_again(agent):
    """After kill -9 there is another worker within the delay of a first restart."""
    first = agent.start("cat")

    os.kill(first, signal.SIGKILL)
    killed_at = time.monotonic()

    wait_until(lambda: agent.child.pid != first and agent.child.is_running, "again")
    assert time.monotonic() - killed_at < 3
    assert agent.child.restarts == 1


def test_worker_that_cannot_live_is_tried_less_often(agent):
    """A worker that ends at its start is restarted with growing pauses, and the agent lives on."""
    agent.start("false")

    wait_until(lambda: agent.child.restarts >= 4, "the fourth restart")

    assert agent.thread.is_alive()
    errors = "SELECT message FROM analytics.events WHERE severity = 'error'"
    (row,) = wait_until(lambda: agent.fleet.rows(errors)[:1], "the error")
    assert "ended with exit status 1" in row["message"]
    assert row["message"].endswith("; it does not stay up, and is tried again.")
    wait_until(lambda: agent.fleet.value(HEARTBEAT), "a heartbeat")


def test_worker_is_told_of_once_a_start_and_an_end(agent):
    """Start, kill and next start are three events; the stop waits for the next agent."""
    first = agent.start("cat")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(agent.fleet.rows(PROGRAMS)) == 3, "three events")
    second = agent.child.process.pid
    agent.end()

    rows = agent.fleet.rows(PROGRAMS)
    assert [row["node"] for row in rows] == ["alpha"] * 3
    start, end, again = (row["message"] for row in rows)
    assert start == f"The worker on alpha (process {first}) started."
    assert end.startswith(f"The worker on alpha (process {first}) was killed by SIGKILL after ")
    assert end.endswith("; it is started again.")
    assert again == f"The worker on alpha (process {second}) started."
    (waiting,) = json.loads((agent.folder / "events.json").read_text())["waiting"]
    assert waiting["message"].startswith(f"The worker on alpha (process {second}) was stopped")


def test_agent_takes_its_worker_along(agent):
    """Told to stop, the agent ends its worker before it ends itself."""
    pid = agent.start("cat")

    agent.end()

    assert not is_alive(pid)
    assert not agent.thread.is_alive()


def test_worker_ends_when_its_agent_is_killed(fleet):
    """The pipe closes with the agent, however that dies, and the worker sees it."""
    script = (
        "import sys, threading\n"
        "from fleet_orchestrator.agent.child import Child\n"
        "child = Child(command=('cat',))\n"
        "child.start()\n"
        "print(child.process.pid, flush=True)\n"
        "threading.Event().wait()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as agent:
        worker = int(agent.stdout.readline())
        assert is_alive(worker)

        agent.kill()

        wait_until(lambda: not is_alive(worker) or is_zombie(worker), "the worker is gone")


def is_zombie(pid):
    """Nobody waits for an orphan in a container without an init."""
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
        return stat.read().rsplit(")", 1)[1].split()[0] == "Z"


def test_work_wakes_the_worker(agent):
    """Each NOTIFY about work, verdicts and settings becomes a line on the worker's input."""
    lines = agent.folder / "lines"
    agent.start("tee", str(lines))
    said = lambda: lines.read_text().count("wake\n") if lines.exists() else 0  # noqa: E731
    listens = "SELECT count(*) FROM pg_stat_activity WHERE usename ~ 'alpha' AND state = 'idle'"
    wait_until(lambda: agent.child.is_running and agent.fleet.value(listens), "the agent listens")

    for wake in (
        "SELECT fleet.set_fleet_state('paused', 'tests', 'why')",
        "SELECT fleet.set_config('fleet', 'temperature', 1, 'tests', 'why')",
        "SELECT pg_notify('fleet_judge', 'x')",
    ):
        before = said()
        agent.fleet.rows(wake)
        wait_until(lambda before=before: said() > before, wake)


def test_heartbeat_says_how_the_worker_is(agent):
    """Time, worker state and settings version arrive; settings.json has values and processes."""
    version = agent.fleet.set("temperature", 1.5)
    pid = agent.start("cat")

    query = "SELECT state, worker_state, settings_version FROM analytics.nodes WHERE node = 'alpha'"
    said = lambda: tuple(agent.fleet.rows(query)[0].values())  # noqa: E731
    wait_until(lambda: said() == ("online", "running", version), "a heartbeat with all of it")
    path = agent.folder / "settings.json"
    content = json.loads(wait_until(lambda: path.exists() and path.read_text(), "settings.json"))
    assert content["settings"]["temperature"] == 1.5
    assert content["settings_version"] == version
    assert {os.getpid(), pid} == set(content["process_ids"])


def test_setting_is_brought_to_the_node_at_once(agent):
    """With a beat each 10 s, a change is in settings.json, and its version told, in a moment."""
    agent.fleet.set("heartbeat_seconds", 10)
    agent.start("cat")
    told = "SELECT settings_version FROM analytics.nodes WHERE node = 'alpha'"
    listens = "SELECT count(*) FROM pg_stat_activity WHERE usename ~ 'alpha' AND state = 'idle'"
    wait_until(lambda: agent.fleet.value(told) and agent.fleet.value(listens), "the first beat")

    version = agent.fleet.set("manual_throttle_factor", 0.25, "node:alpha")

    wait_until(lambda: agent.fleet.value(told) == version, "the version is told", 4)
    content = json.loads((agent.folder / "settings.json").read_text())
    assert content["settings"]["manual_throttle_factor"] == 0.25
    assert content["settings_version"] == version


def test_agent_outlives_the_database(agent):
    """While the database is away the worker runs; afterwards heartbeats go on, and it is told."""
    answers = [psycopg.OperationalError("away"), None, psycopg.OperationalError("away"), None]

    def connect():
        if answers and (error := answers.pop(0)):
            raise error
        return agent.fleet.database.connect("alpha")

    pid = agent.start("cat", connect=connect)
    wait_until(lambda: agent.fleet.value(HEARTBEAT), "a heartbeat after the first absence")
    agent.fleet.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename ~ 'alpha'"
        " AND datname = current_database()"
    )

    wait_until(lambda: agent.fleet.rows(AWAY), "the event")
    assert agent.fleet.rows(AWAY) == [{"node": "alpha"}]
    assert agent.child.process.pid == pid


WORKER = [sys.executable, "-m", "fleet_orchestrator.worker"]


@pytest.fixture
def start_worker(environ):
    """Start the worker's program as the agent does."""
    started = []

    def start():
        pipe = subprocess.PIPE
        process = subprocess.Popen(WORKER, env=environ, stdin=pipe, stderr=pipe, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stderr.close()


def test_worker_program_writes_until_its_input_ends(fleet, start_worker):
    """The real program writes and judges a job, keeps a second one out, and ends with its pipe."""
    fleet.submit(count=2)
    first = start_worker()
    # Accepted or not: the second may be too near a copy of the first.
    judged = "SELECT count(*) FROM analytics.conversations"
    wait_until(lambda: fleet.value(judged) == 2, "two conversations")

    second = start_worker()
    refused = second.communicate(timeout=30)[1]
    first.stdin.close()
    log = first.stderr.read()

    assert second.returncode == 1
    assert "another worker of this node" in refused
    assert first.wait(10) == 0
    assert "The node agent is gone" in log
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["logger"] for line in lines} == {"fleet_orchestrator.worker"}


def test_worker_program_ends_cleanly_on_sigterm(fleet, start_worker, model_server, environ):
    """In the middle of an answer: ended within the agent's patience, the task given back."""
    from model_server import Answer  # noqa: PLC0415 - the fixture has the module's name

    model_server.plan.append(Answer("hang", 2))
    fleet.submit()
    process = start_worker()
    wait_until(lambda: fleet.value("SELECT count(*) FROM fleet.turns") == 2, "two turns")

    process.send_signal(signal.SIGTERM)

    assert process.wait(4) == 0
    (task,) = fleet.rows("SELECT * FROM analytics.tasks")
    assert (task["state"], task["failures"], task["turns_written"]) == ("pending", 0, 2)
