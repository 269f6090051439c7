"""
The node agent: keeps one worker running, says that the node lives, brings settings to it.

It obeys the commands for its node, and tells what happens to the programs of its machine.
It listens for NOTIFY and wakes its worker through the worker's standard input; when the agent dies,
that input ends and the worker ends itself.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from fleet_timescale import __version__, log
from fleet_timescale.connection import Connect, Connection
from fleet_timescale.connection import connect as connect_database
from fleet_timescale.events import Outage

from fleet_orchestrator import runtime
from fleet_orchestrator.agent import commands, identity, standing
from fleet_orchestrator.agent.child import Child
from fleet_orchestrator.agent.commands import Obedience
from fleet_orchestrator.agent.keeper import Keeper
from fleet_orchestrator.agent.model_probe import ModelProbes
from fleet_orchestrator.ending import end_on_signal
from fleet_orchestrator.errors import OrchestratorError
from fleet_orchestrator.events.spool import EventSpool
from fleet_orchestrator.lock import take_lock
from fleet_orchestrator.own_processes import OwnProcesses
from fleet_orchestrator.peers.agent import Peers, beside
from fleet_orchestrator.settings import NodeSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from psycopg import Notify

    from fleet_orchestrator.agent.child import Workplace
    from fleet_orchestrator.agent.identity import Machine

logger = logging.getLogger(__name__)
SETTINGS = "fleet_settings"
CHANNELS = ("fleet_work", "fleet_judge", SETTINGS, commands.CHANNEL)
RETRY_SECONDS = 2.0
REMOVED = 77  # exit code of an agent that is not to be started again by itself
LOOK_SECONDS = 0.5  # how soon the end of a command is told
JITTER = 0.8  # a beat comes after this share of its time or later: a fleet must not poll in step


class DuplicateError(OrchestratorError):
    """Another machine speaks for this node."""


@dataclass(frozen=True)
class Agent:
    """What the agent works with while it has a connection."""

    node: str
    machine: Machine
    keeper: Keeper
    obedience: Obedience
    folder: Path  # in which the programs of the node meet
    find_own: Callable[[], set[int]]  # processes of ours beside the worker
    spool: EventSpool
    peers: Peers | None  # None: it does not measure the network to them
    probes: ModelProbes


def make_agent(
    settings: NodeSettings,
    child: Workplace,
    find_own: Callable[[], set[int]] | None,
    peers: Peers | None,
) -> Agent:
    """Return an agent that goes on where the one before it ended."""
    spool = EventSpool(settings.events_file, settings.node, settings.supervisor_log)
    keeper = Keeper(child, spool, settings.node)
    return Agent(
        settings.node,
        identity.read_machine(settings.events_file.parent),
        keeper,
        Obedience(keeper, settings.wanted_file),
        settings.runtime_folder,
        find_own or OwnProcesses(settings.llm_url).find,
        spool,
        peers,
        ModelProbes(settings.llm_url, settings.runtime_folder),
    )


def hold(connection: Connection, agent: Agent) -> None:
    """Speak for the node, with a worker if one is wanted. Raises DuplicateError."""
    holder = identity.hold(connection, agent.machine)
    if holder is not None:
        agent.obedience.suspend()
        reason = identity.describe_duplicate(agent.node, agent.machine, holder)
        standing.hold_back(agent.folder, reason)
        raise DuplicateError(reason)
    row = connection.execute("SELECT * FROM fleet.may_run()").fetchall()[0]
    if row["is_stopped"]:
        agent.obedience.halt()
    else:
        agent.obedience.resume(row["resume_seconds"])


def beat(connection: Connection, agent: Agent) -> float:
    """Write settings.json, send one heartbeat, tell events; return seconds until the next."""
    keeper = agent.keeper
    row = connection.execute(
        "SELECT *, fleet.scrape_hashes() AS scrape_hashes FROM fleet.node_settings()"
    ).fetchall()[0]
    ours = sorted(agent.find_own() | ({keeper.child.pid} if keeper.child.pid else set()))
    content = {
        "settings_version": row["version"],
        "settings": row["settings"],
        "process_ids": ours,
        "scrape_hashes": row["scrape_hashes"],
    }
    runtime.write(agent.folder / standing.FILE, content)
    # After that: the version that is told is the one that the node runs.
    connection.execute(
        "SELECT fleet.heartbeat(%s, %s, %s)", [__version__, keeper.state, row["version"]]
    )
    agent.spool.tell(connection)
    if agent.peers is not None:
        agent.peers.exchange(connection)
    return float(row["settings"]["heartbeat_seconds"])


def react(note: Notify, agent: Agent) -> bool:
    """Do what a notification asks for; return whether it asks for a beat at once."""
    if note.channel != commands.CHANNEL:
        agent.keeper.child.wake()
        return note.channel == SETTINGS
    if note.payload == agent.node:
        agent.obedience.has_open = True
    return note.payload == commands.ALL_NODES  # the fleet is resumed


def listen(connection: Connection, agent: Agent, stop: threading.Event) -> None:
    """
    Beat, obey and wake until told to stop or the connection breaks. Raises DuplicateError.

    Each beat looks for commands, since notifications may not come through.
    """
    for channel in CHANNELS:
        connection.execute(f"LISTEN {channel}".encode())
    agent.keeper.child.wake()  # what was notified before we listened
    while not stop.is_set():
        hold(connection, agent)
        state = agent.keeper.state
        period = beat(connection, agent) * random.uniform(JITTER, 1)  # noqa: S311
        deadline = time.monotonic() + period
        agent.obedience.obey(connection)
        agent.probes.begin(connection)
        while not stop.is_set() and (left := deadline - time.monotonic()) > 0:
            if agent.keeper.state != state:
                break  # told at once
            for note in connection.notifies(timeout=min(left, LOOK_SECONDS), stop_after=1):
                if react(note, agent):
                    deadline = 0.0
            agent.probes.tell(connection)
            if agent.obedience.has_open:
                agent.obedience.obey(connection)


def run(  # noqa: PLR0913 - its node, and what a test or a simulated machine replaces
    settings: NodeSettings,
    connect: Connect,
    child: Workplace,
    stop: threading.Event,
    retry_seconds: float = RETRY_SECONDS,
    *,
    find_own: Callable[[], set[int]] | None = None,
) -> bool:
    """
    Run the agent until told to stop; the database may come and go.

    Returns whether it ended because its node was removed from the fleet. `find_own` names the
    processes of ours beside the worker; by default those of this machine.
    """
    outage = Outage(f"The node agent on {settings.node}", "it could not say that the node lives")
    refusals = 0  # in a row
    with beside(settings.node, settings.runtime_folder, settings.peer_address) as peers:
        agent = make_agent(settings, child, find_own, peers)
        with agent.keeper.keeping(stop):
            while not stop.is_set() and refusals < standing.REFUSALS_MAX:
                try:
                    with connect() as connection:
                        outage.end(connection)
                        hold(connection, agent)
                        refusals = 0
                        listen(connection, agent, stop)
                except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege) as exc:
                    is_refused = standing.is_refusal(exc)
                    refusals = refusals + 1 if is_refused else 0
                    what = "refuses this node" if is_refused else "is away"
                    logger.warning("The database %s.", what, extra={"error": str(exc)})
                    outage.begin(exc)
                    stop.wait(retry_seconds)
                except DuplicateError as exc:
                    logger.error("%s", exc)  # noqa: TRY400 - the sentence says it all
                    stop.wait(retry_seconds)
            if refusals == standing.REFUSALS_MAX:
                reason = standing.describe_removal(settings.node)
                logger.error("%s", reason)
                standing.hold_back(settings.runtime_folder, reason)
    return refusals == standing.REFUSALS_MAX


def main(argv: list[str]) -> int:
    """Run the node agent."""
    del argv
    log.configure()
    settings = NodeSettings.from_environ(os.environ)
    try:
        take_lock(settings.runtime_folder / "agent.lock", "agent")
    except OrchestratorError as exc:
        logger.error("%s", exc)  # noqa: TRY400 - the sentence says it all
        return 1
    stop = threading.Event()
    end_on_signal(stop)
    is_removed = run(settings, lambda: connect_database(settings.dsn, "fleet node"), Child(), stop)
    return REMOVED if is_removed else 0
