"""Two machines with a real supervisor each: agent, worker and a master, to be killed and frozen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from xmlrpc.client import ServerProxy

import psutil
from fix_fleet import wait_until
from fix_ports import free_port
from fleet_stack.home import load_current
from fleet_stack.run.services import command
from fleet_stack.run.supervisor import Places, Service, render
from supervisor.xmlrpc import SupervisorTransport


class Machine:
    """One node: what its supervisor keeps running, and what the kernel can do to it."""

    def __init__(self, node, server, model_url):
        self.node = node
        # Not below pytest's folder: the path of a socket has 100 characters at most.
        self._folder = Path(tempfile.mkdtemp(prefix=f"fleet-{node}-"))
        self._socket = self._folder / "s.sock"
        places = Places(self._folder, self._folder, self._socket)
        self._configuration = places.configuration
        self._supervisor = None
        self._listen = f"127.0.0.1:{free_port()}"
        for name, user in (("node", node), ("master", "fleet_master")):
            (self._folder / f"{name}.dsn").write_text(server.dsn(user))
        services = [self._agent(model_url), self._master()]
        user = load_current().name
        self._configuration.write_text(render(services, places, user))

    def _agent(self, model_url):
        return self._service(
            "node",
            FLEET_NODE=self.node,
            FLEET_RUNTIME_DIR=str(self._folder),
            FLEET_LLM_URL=model_url,
            FLEET_LLM_MODEL="tiny",
            FLEET_EVENTS_FILE=str(self._folder / "events.json"),
            FLEET_SUPERVISOR_LOG=str(self._folder / "supervisord.log"),
        )

    def _master(self):
        return self._service("master", FLEET_LISTEN=self._listen)

    def _service(self, name, **environment):
        environment["FLEET_DATABASE_URL_FILE"] = str(self._folder / f"{name}.dsn")
        user = load_current().name
        return Service(name, command("fleet_stack", name), user, environment)

    def start(self):
        self._supervisor = subprocess.Popen(
            [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", self._configuration],
            env={"PATH": os.environ["PATH"]},
            cwd="/",
        )
        self.wait_for("worker")

    def end(self):
        """End everything, what is frozen too."""
        for program in ("master", "worker"):
            if pid := self.pid(program):
                os.kill(pid, signal.SIGCONT)
        self._supervisor.terminate()
        self._supervisor.wait()
        shutil.rmtree(self._folder)

    def pid(self, program):
        """The process of node, master or worker now; None while it does not run."""
        found = self._ask("node" if program == "worker" else program)
        if found is None or program != "worker":
            return found
        try:
            children = psutil.Process(found).children()
        except psutil.NoSuchProcess:
            return None
        return next((child.pid for child in children if is_worker(child)), None)

    def _ask(self, name):
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            with ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return proxy.supervisor.getProcessInfo(name)["pid"] or None
        except OSError:
            return None

    def wait_for(self, program):
        return wait_until(lambda: self.pid(program), f"{program} of {self.node} runs")

    def send(self, program, number):
        """Send a signal to a program that runs; return its process."""
        pid = self.wait_for(program)
        os.kill(pid, number)
        return pid

    def kill(self, program):
        """Kill a program, and wait until the next one runs; return the process that was."""
        before = self.send(program, signal.SIGKILL)
        wait_until(
            lambda: self.pid(program) not in {None, before}, f"{program} of {self.node} is back"
        )
        return before

    def read_log(self):
        """What its programs have logged."""
        return "".join(path.read_text() for path in self._folder.glob("*.log"))

    def is_leading(self):
        try:
            with urllib.request.urlopen(f"http://{self._listen}/metrics", timeout=5) as answer:
                return b"\nfleet_master_leading 1.0" in answer.read()
        except (OSError, urllib.error.URLError):
            return False


def is_worker(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE and any(
            "worker" in word for word in process.cmdline()
        )
    except psutil.NoSuchProcess:
        return False
