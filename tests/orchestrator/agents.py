"""Node agents in threads, with commands that stand for their worker."""

from __future__ import annotations

import threading

import pytest
from fix_fleet import wait_until
from fleet_orchestrator.agent.child import Child
from fleet_orchestrator.node import run
from fleet_orchestrator.settings import NodeSettings

# A worker that lives until it is told to drain, or its agent is gone.
OBEDIENT = ("sh", "-c", 'while read -r word; do [ "$word" != drain ] || exit 0; done')


class Agents:
    """One agent after the other in the same home, each in a thread."""

    def __init__(self, fleet, folder, beside):
        self.fleet, self.folder, self.beside = fleet, folder, beside
        self.settings = NodeSettings(
            "", folder, "http://127.0.0.1:9/v1", "tiny", "alpha", folder / "events.json"
        )
        self.stop = threading.Event()

    def start(self, *command, connect=None):
        """Start an agent; it has a worker once it has spoken with the database."""
        self.child, self.stop = Child(command=command or OBEDIENT), threading.Event()
        connect = connect or (lambda: self.fleet.database.connect("alpha"))
        self.thread = self.beside(run, self.settings, connect, self.child, self.stop, 0.1)

    def start_with_worker(self, *command):
        self.start(*command)
        wait_until(lambda: self.child.is_running, "the worker runs")

    def end(self):
        self.stop.set()
        self.thread.join(10)

    def ask(self, verb, seconds=60):
        return self.fleet.value(
            "SELECT fleet.request_command('alpha', %s, 'ada', '', %s)",
            verb, seconds, user="fleet_control",
        )  # fmt: skip

    def state(self, command):
        query = "SELECT state FROM analytics.commands WHERE command_id = %s"
        return self.fleet.value(query, command)

    def wait_for(self, command, *states):
        wait_until(lambda: self.state(command) in states, f"the command is {states}")

    def obey(self, verb):
        command = self.ask(verb)
        self.wait_for(command, "done")
        return command

    def worker_state(self):
        return self.fleet.value("SELECT worker_state FROM analytics.nodes WHERE node = 'alpha'")


@pytest.fixture
def agents(fleet, tmp_path, beside):
    made = Agents(fleet, tmp_path, beside)
    yield made
    made.stop.set()
