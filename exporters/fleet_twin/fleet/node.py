"""One node of the twin: a simulated machine, and the real exporter, agent and worker on it."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from fleet_exporters.collectors.clock import Clock
from fleet_exporters.decision.rules import RulesFile
from fleet_exporters.decision.verdict import Decider
from fleet_exporters.program import Program, World
from fleet_exporters.reading.sampler import Sampler
from fleet_exporters.settings import Settings
from fleet_orchestrator import node as agent
from fleet_orchestrator.model_server.endpoint import Endpoint
from fleet_orchestrator.settings import NodeSettings
from fleet_orchestrator.worker import make_worker

from fleet_twin import faults
from fleet_twin.fleet.connections import Link, make_connect
from fleet_twin.fleet.double import Double
from fleet_twin.fleet.workplace import Threads
from fleet_twin.model_server.behaviour import Behaviour
from fleet_twin.sensors import make_families
from fleet_twin.signals import read_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import openai
    from fleet_exporters.sample import Dropped, Read, Sample
    from fleet_exporters.sinks.page.prometheus import Exposition
    from fleet_orchestrator.worker import Worker
    from fleet_timescale.connection import Connect

    from fleet_twin.fleet.connections import Pool
    from fleet_twin.fleet.notices import Notices
    from fleet_twin.machine.simulation import Machine
    from fleet_twin.model_server.behaviour import Load

logger = logging.getLogger(__name__)

TICK_SECONDS = 5.0
PROMPT_SPEED = 20.0  # a prompt is read so many times faster than an answer is written
JOIN_SECONDS = 10.0
SMALL_CONTEXT = 250  # tokens: a canary call needs some dozens, a conversation more


@dataclass(frozen=True)
class Site:
    """What all nodes of a twin share."""

    pool: Pool
    notices: Notices
    client: openai.OpenAI  # one for all: each has a certificate store of its own
    model_url: Callable[[str], str]  # of the model server of a node; ends in /v1
    runtime: Path  # a folder for each node is made in it
    spool: Path


def _hold(link: Link, read: Read) -> Read:
    """Return a sensor family that hangs while the exporter is frozen."""

    def held() -> Iterator[Sample | Dropped]:
        link.wait()
        yield from read()

    return held


class Node:
    """Starts and stops the programs of one machine, and moves the machine on."""

    def __init__(self, machine: Machine, site: Site) -> None:
        self.machine = machine
        self.name = machine.place.node
        self.exporter, self.agent = Link(), Link()
        self.is_cut = False  # from everybody
        self._site = site
        self._double: Double | None = None
        self._folder = site.runtime / self.name
        self._stop, self._agent_stop = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._program: Program | None = None
        self._tokens = 0
        self._change: threading.Thread | None = None

    @property
    def exposition(self) -> Exposition | None:
        """The page of the exporter; None before its first start."""
        return None if self._program is None else self._program.exposition

    def start(self) -> None:
        """Start exporter and agent, which starts the worker."""
        for folder in (self._folder, self._site.spool / self.name):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        # Of its own: an agent whose node was removed ends alone.
        self._stop, self._agent_stop = threading.Event(), threading.Event()
        self._program = self._make_exporter()
        run_agent = partial(
            agent.run,
            self._make_settings(),
            self._connect(self.agent),
            Threads(self._make_worker),
            self._agent_stop,
            find_own=lambda: {os.getpid()},
        )
        self._threads = [
            threading.Thread(target=self._program.run, args=(self._stop,), name=self.name),
            threading.Thread(target=run_agent, name=f"agent {self.name}"),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Tell all programs to end; `join` waits for it."""
        self._stop.set()
        self._agent_stop.set()

    def join(self) -> None:
        """Wait until they have ended."""
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def advance(self, held: frozenset[str], now: float, local: datetime, load: Load) -> None:
        """Move the machine on, under these faults and what its model server does."""
        machine, tokens = self.machine, load.completion_tokens - self._tokens
        self._tokens = load.completion_tokens
        machine.faults, machine.has_model = held, load.has_model
        if not machine.has(faults.NODE_FROZEN):
            machine.advance(now, local, min(1.0, load.busy_slots), tokens)
        self.is_cut = machine.has(faults.NODE_GONE) or not machine.is_online
        self.exporter.is_cut = self.is_cut or machine.has(faults.READINGS_STUCK)
        # Only while it is silent another machine can take its name.
        self.agent.is_cut = self._follow_double() or self.is_cut
        is_frozen = machine.has(faults.NODE_FROZEN)
        self.exporter.freeze(is_frozen=is_frozen or machine.has(faults.EXPORTER_FROZEN))
        self.agent.freeze(is_frozen=is_frozen or machine.has(faults.AGENT_FROZEN))
        self._switch(is_on=not machine.has(faults.NODE_GONE))

    def thaw(self) -> None:
        """Let everything go on, so that it can end."""
        for link in (self.exporter, self.agent):
            link.freeze(is_frozen=False)
        if self._double is not None:
            self._double.end()

    def _follow_double(self) -> bool:
        """Let another machine speak for the node, or end it; True until it has the name."""
        is_there = self.machine.has(faults.NODE_TWICE)
        if is_there and self._double is None:
            self._double = Double(self._connect(Link()))
        elif self._double is not None and not is_there:
            self._double.end()
            self._double = None
        return self._double is not None and not self._double.has_name

    def _connect(self, link: Link) -> Connect:
        return make_connect(self._site.pool, self.name, link, self._site.notices)

    def _switch(self, *, is_on: bool) -> None:
        """Switch the machine off or on; nobody waits for its programs."""
        if is_on != self._stop.is_set() or (self._change and self._change.is_alive()):
            return
        self.stop()
        if is_on:
            self._change = threading.Thread(target=self._switch_on, name=f"boot {self.name}")
            self._change.start()

    def _switch_on(self) -> None:
        self.join()
        self.start()

    def read_behaviour(self) -> Behaviour:
        """Return what the machine lets its model server do now."""
        machine = self.machine
        speed = 0.0 if machine.has(faults.NODE_FROZEN) else machine.tokens_per_second
        return Behaviour(
            tokens_per_second=speed,
            prompt_tokens_per_second=PROMPT_SPEED * speed,
            faults=machine.faults,
            model=machine.kind.model,
            **({"context_tokens": SMALL_CONTEXT} if machine.has(faults.SMALL_CONTEXT) else {}),
        )

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.machine.clock_offset_seconds)

    def _make_exporter(self) -> Program:
        # Machines do not tick at the same moment.
        phase = self.machine.owner.phase.total_seconds() % TICK_SECONDS

        def monotonic() -> float:
            return time.monotonic() + phase

        clock = Clock(self._now)
        families = make_families(self.machine, clock, monotonic)
        families["cpu"] = _hold(self.exporter, families["cpu"])
        read = partial(read_signals, self.machine)
        rules = RulesFile(self._folder)
        decider = Decider(read, rules.read, monotonic)
        settings = Settings(
            node=self.name,
            host="",
            port=0,
            runtime_dir=self._folder,
            watched=(),
            model=None,
            tick_seconds=TICK_SECONDS,
            monitor_url="",
            games=frozenset(),
            spool_dir=self._site.spool / self.name,
            database_url="",
        )
        world = World(
            Sampler(families),
            decider,
            self._connect(self.exporter),
            clock,
            rules,
            monotonic,
            self._now,
        )
        return Program(settings, world)

    def _make_settings(self) -> NodeSettings:
        return NodeSettings(
            dsn="",
            runtime_folder=self._folder,
            llm_url=self._site.model_url(self.name),
            llm_model=self.machine.kind.model,
            node=self.name,
            events_file=self._site.spool / self.name / "events.json",
        )

    def _make_worker(self) -> Worker:
        settings = self._make_settings()
        endpoint = Endpoint(self._site.client.copy(base_url=settings.llm_url), settings.llm_model)
        return make_worker(settings, self._connect(self.agent), endpoint)
