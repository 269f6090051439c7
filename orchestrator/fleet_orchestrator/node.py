"""
The node agent: keeps one worker running, says that the node lives, brings settings to it.

It tells what happens to the programs of its machine.
It listens for NOTIFY and wakes its worker through the worker's standard input; when the agent dies,
that input ends and the worker ends itself.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Protocol

import psycopg
from fleet_timescale import __version__, log
from fleet_timescale.connection import Connect, Connection
from fleet_timescale.connection import connect as connect_database
from fleet_timescale.events import Outage

from fleet_orchestrator import runtime
from fleet_orchestrator.events import programs
from fleet_orchestrator.events.spool import EventSpool
from fleet_orchestrator.own_processes import OwnProcesses
from fleet_orchestrator.settings import NodeSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)
CHANNELS = ("fleet_work", "fleet_judge", "fleet_settings")
RESTART_MAX_SECONDS = 5.0
STEADY_SECONDS = 30.0  # a worker that ran so long has not failed at its start
RESTARTS_MAX = 3  # short runs in a row; after more it is told that the worker does not stay up
STOP_SECONDS = 4.0
RETRY_SECONDS = 2.0
WORKER = (sys.executable, "-m", "fleet_orchestrator.worker")


class Workplace(Protocol):
    """Where the agent's worker runs: a process of its own, or threads beside the agent."""

    restarts: int
    started_at: float

    def start(self) -> int:
        """Start the worker; return its process id."""

    def wake(self) -> None:
        """Tell the worker that there is something to look at."""

    def stop(self, timeout_seconds: float) -> None:
        """End the worker."""

    @property
    def state(self) -> str:
        """running, restarting or stopped, as fleet.nodes has it."""

    @property
    def exit_code(self) -> int:
        """How the worker ended, as in subprocess; 0 while it runs."""

    @property
    def pid(self) -> int | None:
        """The process that the worker runs in."""


@dataclass
class Child:
    """The worker process; never more than one at a time."""

    command: tuple[str, ...] = WORKER
    process: subprocess.Popen[str] | None = None
    restarts: int = 0
    started_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> int:
        """Start the worker; return its process id."""
        logger.info("Starting the worker.", extra={"restarts": self.restarts})
        with self.lock:
            _close(self.process.stdin if self.process else None)
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, text=True)
        self.started_at = time.monotonic()
        return self.process.pid

    def wake(self) -> None:
        """Tell the worker that there is something to look at."""
        with self.lock:
            pipe = self.process.stdin if self.process else None
            _write_line(pipe)

    def stop(self, timeout_seconds: float) -> None:
        """End the worker: politely, then by force."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            logger.warning("The worker did not end in time; killing it.")
            self.process.kill()
            self.process.wait()
        with self.lock:
            _close(self.process.stdin)

    @property
    def state(self) -> str:
        """running, restarting or stopped, as fleet.nodes has it."""
        if self.process is None:
            return "stopped"
        return "running" if self.process.poll() is None else "restarting"

    @property
    def exit_code(self) -> int:
        """How the worker ended: its status, or the negative number of a signal; 0 while it runs."""
        return (self.process.returncode or 0) if self.process else 0

    @property
    def pid(self) -> int | None:
        """The process of the worker; None before the first start."""
        return self.process.pid if self.process else None


def _write_line(pipe: IO[str] | None) -> None:
    if pipe is None or pipe.closed:  # not started yet, or stopped
        return
    try:
        pipe.write("wake\n")
        pipe.flush()
    except BrokenPipeError:
        logger.debug("The worker is gone; it will be started again.")


def _close(pipe: IO[str] | None) -> None:
    """Let go of a worker's input; what it did not read any more is of no use."""
    if pipe is not None:
        with suppress(BrokenPipeError):
            pipe.close()


def decide_restart_delay(ran_seconds: float, restarts: int) -> float:
    """
    Return seconds to wait before a worker is started again.

    At once after a steady run; 0.2, 0.4 … 5 after the first, second … short one.
    """
    if ran_seconds >= STEADY_SECONDS:
        return 0.0
    return float(min(RESTART_MAX_SECONDS, 0.2 * 2 ** min(restarts - 1, 10)))


def supervise(child: Workplace, stop: threading.Event, spool: EventSpool, node: str) -> None:
    """Keep the worker running until told to stop, then end it; tell each start and end."""
    run = None
    while not stop.is_set():
        pid = child.start()
        now = datetime.now(UTC)
        run = programs.Run(node, "worker", pid, now)
        spool.add(programs.started(run, now))
        while child.state == "running" and not stop.wait(0.2):
            pass
        if stop.is_set():
            break
        ran = time.monotonic() - child.started_at
        child.restarts = 0 if ran >= STEADY_SECONDS else child.restarts + 1
        logger.warning(
            "The worker ended.", extra={"exit_code": child.exit_code, "ran_seconds": round(ran, 1)}
        )
        how = programs.describe_exit(child.exit_code)
        was_up = child.restarts <= RESTARTS_MAX
        spool.add(programs.ended(run, datetime.now(UTC), how, was_up=was_up))
        run = None
        stop.wait(decide_restart_delay(ran, child.restarts))
    child.stop(STOP_SECONDS)
    if run is not None:
        is_forced = child.exit_code == -signal.SIGKILL
        spool.add(programs.stopped(run, datetime.now(UTC), is_forced=is_forced))


@dataclass(frozen=True)
class Agent:
    """What the agent works with while it has a connection."""

    child: Workplace
    folder: Path  # in which the programs of the node meet
    find_own: Callable[[], set[int]]  # processes of ours beside the worker
    spool: EventSpool


def beat(connection: Connection, agent: Agent) -> float:
    """Send one heartbeat, write settings.json, tell events; return seconds until the next."""
    child = agent.child
    row = connection.execute("SELECT * FROM fleet.node_settings()").fetchall()[0]
    connection.execute(
        "SELECT fleet.heartbeat(%s, %s, %s)", [__version__, child.state, row["version"]]
    )
    ours = sorted(agent.find_own() | ({child.pid} if child.pid else set()))
    content = {"settings_version": row["version"], "settings": row["settings"], "process_ids": ours}
    runtime.write(agent.folder / "settings.json", content)
    agent.spool.tell(connection)
    return float(row["settings"]["heartbeat_seconds"])


def listen(connection: Connection, agent: Agent, stop: threading.Event) -> None:
    """Beat and wake until told to stop or the connection breaks."""
    for channel in CHANNELS:
        connection.execute(f"LISTEN {channel}".encode())
    agent.child.wake()  # what was notified before we listened
    while not stop.is_set():
        deadline = time.monotonic() + beat(connection, agent)
        while not stop.is_set() and (left := deadline - time.monotonic()) > 0:
            for _ in connection.notifies(timeout=min(left, 0.5), stop_after=1):
                agent.child.wake()


def run(  # noqa: PLR0913 - its node, and what a test or a simulated machine replaces
    settings: NodeSettings,
    connect: Connect,
    child: Workplace,
    stop: threading.Event,
    retry_seconds: float = RETRY_SECONDS,
    *,
    find_own: Callable[[], set[int]] | None = None,
) -> None:
    """
    Run the agent until told to stop; the database may come and go.

    `find_own` names the processes of ours beside the worker; by default those of this machine.
    """
    outage = Outage(f"The node agent on {settings.node}", "it could not say that the node lives")
    spool = EventSpool(settings.events_file, settings.node, settings.supervisor_log)
    find_own = find_own or OwnProcesses(settings.llm_url).find
    agent = Agent(child, settings.runtime_folder, find_own, spool)
    with _supervised(child, stop, spool, settings.node):
        while not stop.is_set():
            try:
                with connect() as connection:
                    outage.end(connection)
                    listen(connection, agent, stop)
            except psycopg.OperationalError as exc:
                logger.warning("The database is away.", extra={"error": str(exc)})
                outage.begin(exc)
                stop.wait(retry_seconds)


@contextmanager
def _supervised(
    child: Workplace, stop: threading.Event, spool: EventSpool, node: str
) -> Iterator[None]:
    keeper = threading.Thread(target=supervise, args=(child, stop, spool, node))
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def end_on_signal(stop: threading.Event) -> None:
    """Make SIGTERM and SIGINT set the event."""
    handler: Callable[..., None] = lambda *_: stop.set()  # noqa: E731 - two signals, one line
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def main(argv: list[str]) -> int:
    """Run the node agent."""
    del argv
    log.configure()
    settings = NodeSettings.from_environ(os.environ)
    stop = threading.Event()
    end_on_signal(stop)
    run(settings, lambda: connect_database(settings.dsn, "fleet node"), Child(), stop)
    return 0
