"""The node agent obeys: start, stop, restart, drain; once each, in order, whatever dies between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid

import psycopg
import pytest
from fix_fleet import wait_until
from fleet_orchestrator.agent import commands, wanted
from fleet_orchestrator.agent.commands import Command
from fleet_orchestrator.agent.wanted import Wanted
from model_server import Answer

STARTED = "SELECT count(*) FROM analytics.events WHERE kind = 'program_started'"
STOPPED = "SELECT count(*) FROM analytics.events WHERE kind = 'program_stopped'"
ENDS = "SELECT message FROM analytics.events WHERE kind ~ 'command_(done|failed)' ORDER BY time"
# One that takes its time, and says so in the file that is its argument.
BUSY = ("sh", "-c", 'while read -r word; do echo "$word" >>"$0"; done')


def test_stopped_worker_stays_stopped(fleet, agents):
    """Also for the next agent, as after a reboot; a start makes it run again."""
    agents.start_with_worker()
    agents.obey("stop")
    assert not agents.child.is_running

    agents.end()
    agents.start()
    wait_until(lambda: agents.worker_state() == "stopped", "a heartbeat of the next agent")
    assert agents.child.process is None

    agents.obey("start")
    assert agents.child.is_running
    wait_until(lambda: fleet.value(STOPPED) == 1, "the stop is told")
    assert [row["message"] for row in fleet.rows(ENDS)] == [
        "The stop of the worker on alpha is done: the worker has ended.",
        f"The start of the worker on alpha is done: the worker runs (process {agents.child.pid}).",
    ]


def test_restart_makes_another_worker(fleet, agents):
    """The worker after it is another process; a stopped one is started."""
    agents.start_with_worker()
    before = agents.child.pid

    agents.obey("restart")

    assert agents.child.is_running
    assert agents.child.pid != before
    agents.obey("stop")
    agents.obey("restart")
    assert agents.child.is_running


def test_start_of_a_running_worker_changes_nothing(agents):
    """What is so already is done at once."""
    agents.start_with_worker()
    before = agents.child.pid

    agents.obey("start")

    assert agents.child.pid == before


def test_drain_waits_for_the_worker(fleet, agents, tmp_path):
    """The worker is told once and not killed; while it finishes, the node is draining."""
    said = tmp_path / "said"
    agents.start_with_worker(*BUSY, str(said))
    command = agents.ask("drain")
    wait_until(lambda: said.exists() and "drain" in said.read_text(), "the worker is told")
    wait_until(lambda: agents.worker_state() == "draining", "a heartbeat says so")
    assert agents.state(command) == "acknowledged"

    os.kill(agents.child.pid, signal.SIGTERM)  # it has finished

    agents.wait_for(command, "done")
    assert said.read_text().count("drain") == 1
    assert fleet.value(STARTED) == 1


@pytest.mark.parametrize(("verb", "runs"), [("start", True), ("stop", False), ("restart", True)])
def test_drain_is_overtaken(fleet, agents, tmp_path, verb, runs):
    """What people ask for after a drain does not wait for it; the drain says what overtook it."""
    agents.start_with_worker(*BUSY, str(tmp_path / "said"))
    drain = agents.ask("drain")
    agents.wait_for(drain, "acknowledged")

    agents.obey(verb)

    assert agents.state(drain) == "failed"
    assert fleet.rows(ENDS)[0]["message"].endswith(f"is failed: overtaken by a {verb}.")
    assert agents.child.is_running is runs


@pytest.mark.parametrize(
    ("verbs", "runs"), [(("stop", "start"), True), (("start", "restart", "stop"), False)]
)
def test_commands_that_cross_are_obeyed_in_their_order(fleet, agents, verbs, runs):
    """Those that came while no agent was there are obeyed one after the other, none is lost."""
    asked = [agents.ask(verb) for verb in verbs]

    agents.start()
    agents.wait_for(asked[-1], "done")

    assert [agents.state(command) for command in asked] == ["done"] * len(asked)
    assert [row["message"].split()[1] for row in fleet.rows(ENDS)] == list(verbs)
    assert agents.child.is_running is runs


def test_late_command_surprises_nobody(fleet, agents):
    """A stop whose deadline passed while the machine slept expires, and the worker runs."""
    command = agents.ask("stop")
    fleet.rows("UPDATE fleet.commands SET deadline_at = now() - interval '1 s'")

    agents.start_with_worker()

    agents.wait_for(command, "expired")
    agents.obey("start")
    assert fleet.value(STOPPED) == 0


def test_database_away_while_obeying(fleet, agents, tmp_path):
    """The worker is stopped while the connection is lost; the end is told with the next one."""
    lost = threading.Event()
    agents.start()
    wait_until(lambda: agents.child.is_running, "the worker runs")
    agents.end()

    def connect():
        if lost.is_set():
            raise psycopg.OperationalError("away")
        return LosesConnection(fleet.database.connect("alpha"), lost)

    command = agents.ask("stop")
    agents.start(connect=connect)
    wait_until(lost.is_set, "the connection is lost")
    assert agents.state(command) == "acknowledged"
    assert wanted.load(tmp_path / "wanted.json") == Wanted(runs=False, command_id=command)
    wait_until(lambda: not agents.child.is_running, "the worker is stopped all the same")

    lost.clear()

    agents.wait_for(command, "done")
    assert [row["message"].split()[1] for row in fleet.rows(ENDS)] == ["stop"]


class LosesConnection:
    """A connection that breaks once, before the first command is told to have ended."""

    has_broken = False

    def __init__(self, connection, lost):
        self.connection, self.lost = connection, lost

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def __getattr__(self, name):
        return getattr(self.connection, name)

    def execute(self, query, *params):
        if "finish_command" in str(query) and not LosesConnection.has_broken:
            LosesConnection.has_broken = True
            self.lost.set()
            raise psycopg.OperationalError("lost")
        return self.connection.execute(query, *params)


def command(verb, state="requested"):
    return Command(uuid.uuid4(), verb, {}, state, is_late=False)


@pytest.mark.parametrize(
    ("verb", "is_begun", "has_followers", "step"),
    [
        ("stop", False, False, commands.BEGIN),
        ("drain", False, True, commands.BEGIN),
        ("stop", True, True, commands.WAIT),
        ("drain", True, False, commands.WAIT),
        ("drain", True, True, commands.GIVE_UP),
    ],
)
def test_next_step(verb, is_begun, has_followers, step):
    """A command is begun once; only a drain gives way."""
    first = command(verb)
    known = Wanted(command_id=first.command_id if is_begun else uuid.uuid4())

    assert commands.decide_step(first, [command("start")] * has_followers, known) == step


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"runs": false}', '{"runs": 1}'])
def test_unreadable_wish_means_run(tmp_path, content):
    """A missing or damaged file stops no node."""
    if content is not None:
        (tmp_path / "wanted.json").write_text(content)

    assert wanted.load(tmp_path / "wanted.json") == Wanted()


def test_wish_is_kept(tmp_path):
    """What was stored is what is read, and no scrap is left beside it."""
    wish = Wanted(runs=False, command_id=uuid.uuid4())

    wanted.store(tmp_path / "wanted.json", wish)

    assert wanted.load(tmp_path / "wanted.json") == wish
    assert [path.name for path in tmp_path.iterdir()] == ["wanted.json"]


AGENT = [
    sys.executable,
    "-c",
    "from fleet_orchestrator.node import main; raise SystemExit(main([]))",
]
# While another session holds the lock, no command comes into a state.
HOLD = """
CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$;
CREATE TRIGGER hold BEFORE UPDATE ON fleet.commands FOR EACH ROW
  WHEN (NEW.state = '{state}') EXECUTE FUNCTION public.hold();
SELECT pg_advisory_lock(4711)"""
HELD = "FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
LET_GO = """
DROP TRIGGER hold ON fleet.commands;
DROP FUNCTION public.hold();
SELECT pg_advisory_unlock_all()"""


class Programs:
    """The real agent with the real worker, killed where a test wants it to die."""

    def __init__(self, agents, environ):
        self.agents, self.environ, self.running = agents, environ, []

    def start(self):
        process = subprocess.Popen(AGENT, env=self.environ, stderr=subprocess.DEVNULL)
        self.running.append(process)
        return process

    def workers(self):
        """The living workers of this node."""
        found = []
        for path in (p for p in os.listdir("/proc") if p.isdigit()):  # noqa: PTH208
            try:
                with open(f"/proc/{path}/environ", "rb") as environ:  # noqa: PTH123
                    is_ours = self.environ["FLEET_RUNTIME_DIR"].encode() in environ.read()
                with open(f"/proc/{path}/cmdline", "rb") as words:  # noqa: PTH123
                    is_worker = b"fleet_orchestrator.worker" in words.read()
            except OSError:
                continue
            found += [int(path)] if is_ours and is_worker else []
        return found

    def kill(self, process):
        """kill -9 of the agent; its worker goes with it."""
        process.kill()
        process.wait()
        wait_until(lambda: not self.workers(), "no worker is left")


@pytest.fixture
def programs(agents, environ):
    made = Programs(agents, environ)
    yield made
    for process in made.running:
        process.kill()
        process.wait()
    wait_until(lambda: not made.workers(), "no worker is left")


@pytest.mark.parametrize("verb", ["stop", "restart"])
@pytest.mark.parametrize("state", ["acknowledged", "done"])
def test_agent_killed_before_a_state_was_told(fleet, agents, programs, state, verb):
    """kill -9 before the database has it: the next agent obeys, once, and tells it once."""
    owner = fleet.connection()
    agent = programs.start()
    wait_until(programs.workers, "the worker runs")
    owner.execute(HOLD.format(state=state).encode())
    command = agents.ask(verb)
    wait_until(lambda: fleet.value(f"SELECT count(*) {HELD}"), "the agent is held")

    programs.kill(agent)
    fleet.rows(f"SELECT pg_terminate_backend(pid) {HELD}")  # else it would go on without a client
    owner.execute(LET_GO)
    programs.start()

    check_obeyed_once(programs, command, verb)


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_agent_killed_before_it_stored_what_is_wanted(agents, programs, tmp_path, verb):
    """kill -9 between acknowledging and obeying: the next agent obeys."""
    agent = programs.start()
    wait_until(programs.workers, "the worker runs")
    os.mkfifo(tmp_path / f".wanted.json.{agent.pid}")  # opens once somebody reads it: never
    command = agents.ask(verb)
    agents.wait_for(command, "acknowledged")

    programs.kill(agent)
    programs.start()

    check_obeyed_once(programs, command, verb)


def check_obeyed_once(programs, command, verb):
    """The command is done, told once, and there is one worker or none, as it wants."""
    programs.agents.wait_for(command, "done")
    assert len(programs.workers()) == (1 if verb == "restart" else 0)
    (told,) = programs.agents.fleet.rows(ENDS)
    assert told["message"].startswith(f"The {verb} of the worker on alpha is done")


RESUME = "SELECT fleet.set_fleet_state('running', 'ada', '')"


def stop_all(fleet):
    fleet.rows("SELECT fleet.emergency_stop('ada', '')", user="fleet_control")


def stop_state(fleet):
    return fleet.value("SELECT state FROM analytics.emergency_stop WHERE node = 'alpha'")


def test_emergency_stop_ends_the_worker_until_resume(fleet, agents):
    """The node acknowledges, the worker ends, and starts again when people resume."""
    fleet.set("resume_spread_seconds", 0)
    agents.start_with_worker()
    stop_all(fleet)
    wait_until(lambda: stop_state(fleet) == "done", "the node has stopped")
    assert not agents.child.is_running

    fleet.rows(RESUME)

    wait_until(lambda: agents.child.is_running, "the worker runs again")


def test_agent_that_starts_in_a_stopped_fleet_starts_no_worker(fleet, agents):
    """After a reboot the stop still holds, also where its command has expired long ago."""
    fleet.set("resume_spread_seconds", 0)
    stop_all(fleet)
    fleet.rows("UPDATE fleet.commands SET deadline_at = now() - interval '1 s'")
    fleet.rows("SELECT fleet.expire_commands()")
    agents.start()
    wait_until(lambda: agents.worker_state() == "stopped", "a heartbeat")
    assert agents.child.process is None

    fleet.rows(RESUME)

    wait_until(lambda: agents.child.is_running, "the worker runs")


def test_node_that_people_had_stopped_stays_stopped_after_resume(fleet, agents):
    """What people wanted of it before, or asked for meanwhile, holds after the stop."""
    fleet.set("resume_spread_seconds", 0)
    agents.start_with_worker()
    stop_all(fleet)
    wait_until(lambda: stop_state(fleet) == "done", "the node has stopped")
    agents.obey("stop")

    fleet.rows(RESUME)
    command = agents.obey("stop")

    assert agents.state(command) == "done"
    assert not agents.child.is_running


def test_worker_starts_when_its_time_has_come(fleet, agents):
    """After resume the node restarts its worker later, not at once."""
    fleet.set("resume_spread_seconds", 1)
    agents.start_with_worker()
    stop_all(fleet)
    wait_until(lambda: stop_state(fleet) == "done", "the node has stopped")

    fleet.rows(RESUME)

    wait_until(lambda: agents.worker_state() == "restarting", "it waits")
    wait_until(lambda: agents.child.is_running, "the worker runs again")


def test_emergency_stop_cuts_a_running_conversation(fleet, programs, model_server):
    """The real worker hangs up, keeps its turns and gives the task back; it is finished later."""
    fleet.set("resume_spread_seconds", 0)
    model_server.plan.append(Answer("drip", turns=2))
    fleet.submit("order_status")
    programs.start()
    wait_until(lambda: not model_server.plan, "two turns are stored, the third comes")

    stop_all(fleet)
    wait_until(lambda: stop_state(fleet) == "done", "the node has stopped")

    (task,) = fleet.rows("SELECT state, attempt, turns_written, error FROM analytics.tasks")
    assert (task["state"], task["attempt"]) == ("pending", 1)
    assert task["turns_written"] == 2
    assert not programs.workers()
    assert fleet.value("SELECT count(*) FROM fleet.task_failures") == 0
    assert fleet.value("SELECT count(*) FROM analytics.events WHERE kind = 'task_taken_back'") == 0

    wait_until(model_server.hung_up.is_set, "the server notices that nobody listens")

    fleet.rows(RESUME)

    done = "SELECT count(*) FROM analytics.tasks WHERE state = 'done'"
    wait_until(lambda: fleet.value(done), "it is finished")
    assert fleet.value("SELECT attempt FROM analytics.tasks") == 2
