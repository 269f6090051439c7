"""
The worker: claims tasks, writes conversations, judges finished ones.

It writes as many conversations at once as its model server has slots, each in a thread of its own
(a place).

A child of the node agent, which says on its standard input, a word a line, that there is something
to look at (wake), or that it is to finish what it writes and to end (drain). The end of that input
means that the agent is gone, and ends the worker too. A lock file keeps a second worker of the same
node out.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import threading
import time
import uuid
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import psycopg
from fleet_timescale import log
from fleet_timescale.connection import connect as connect_database
from fleet_timescale.events import Outage

from fleet_orchestrator import runtime
from fleet_orchestrator.agent.child import DRAIN
from fleet_orchestrator.blame import decide_delay, decide_failure
from fleet_orchestrator.circuit import Circuit
from fleet_orchestrator.errors import OrchestratorError
from fleet_orchestrator.generation.conversation import Writer
from fleet_orchestrator.generation.method import Limits, parse_limits
from fleet_orchestrator.generation.persona import find_persona
from fleet_orchestrator.judging import judge_batch, sketch_batch
from fleet_orchestrator.lease import Lease
from fleet_orchestrator.lock import take_lock
from fleet_orchestrator.model_server import canary, continuation
from fleet_orchestrator.model_server.endpoint import Call, Endpoint, EndpointError, Known, connect
from fleet_orchestrator.owner import Owner, read_throttle_factor
from fleet_orchestrator.pace import Share, decide_places, decide_rest, decide_share
from fleet_orchestrator.quality.scrub import scrub
from fleet_orchestrator.quality.sketch import CAN_FIND_NEAR_COPIES
from fleet_orchestrator.server_health import ServerHealth, look_after
from fleet_orchestrator.settings import NodeSettings
from fleet_orchestrator.store import (
    AFTER_OUTAGE,
    DatabaseAwayError,
    LostLeaseError,
    Store,
    Task,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from fleet_timescale.connection import Connect

logger = logging.getLogger("fleet_orchestrator.worker")  # also when run as __main__
POLL_SECONDS = 5.0  # a wake-up usually comes earlier
CANARY_SECONDS = 300.0  # a server that was asked for nothing so long shows whether it still works
SIGNAL_SECONDS = 0.5  # how often the program looks whether it was told to end
CIRCUIT_METRIC = "fleet_llm_circuit_open"
PATIENCE_SECONDS = 10.0  # how long the threads may take to end once the agent is gone


@dataclass
class Worker:
    """What the threads of one worker share."""

    store: Callable[[], Store]
    endpoint: Endpoint
    runtime_folder: Path
    stop: threading.Event = field(default_factory=threading.Event)
    full: threading.Event = field(default_factory=threading.Event)  # nothing more is begun
    wake: threading.Event = field(default_factory=threading.Event)
    judge_wake: threading.Event = field(default_factory=threading.Event)
    publishing: threading.Lock = field(default_factory=threading.Lock)
    circuit: Circuit = field(default_factory=Circuit)
    #: None: nobody looks after the model server
    server: ServerHealth | None = None
    #: how many threads may run `generate`
    places: int = 1
    #: set once nothing is written any more: what is left to judge is there
    has_written: threading.Event = field(default_factory=threading.Event)
    #: set once what an earlier worker held was given back
    has_begun: threading.Event = field(default_factory=threading.Event)
    counting: threading.Lock = field(default_factory=threading.Lock)
    choosing: threading.Lock = field(default_factory=threading.Lock)
    calls: int = 0  # conversations and canary calls that are under way
    not_before: float = float("-inf")  # of the next call: the server has asked for time
    asked_at: float = field(default_factory=time.monotonic)
    first_model: str = field(init=False)  # the one that it was started with

    def __post_init__(self) -> None:
        """Remember what is asked for while people have set no model."""
        self.first_model = self.endpoint.model

    def generate(self, place: int = 0) -> None:
        """Write conversations until nothing more is to be begun; the first place begins."""
        with closing(self.store()) as store:
            while not self.full.is_set():
                try:
                    if place == 0 and not self.has_begun.is_set():
                        store.return_own_tasks()
                        store.set_circuit(is_open=False, reason="The worker has started anew.")
                        self.has_begun.set()
                    if self.has_begun.wait(SIGNAL_SECONDS):
                        self.generate_one(store, place)
                except (psycopg.OperationalError, DatabaseAwayError) as exc:
                    logger.warning("The database is away.", extra={"error": str(exc)})
                    self.pause(self.wake, POLL_SECONDS)
                except Exception:  # a worker that lives but writes no more would go unnoticed
                    logger.exception("Failed to look for work.")
                    self.pause(self.wake, POLL_SECONDS)

    def generate_one(self, store: Store, place: int = 0) -> None:
        """Write a task if there is one; a server that fails is asked for a canary call instead."""
        limits = self.wait_for_server(store)
        if self.full.is_set():
            return
        # Asked after the wait, in which a game may have begun.
        if place >= self.share(limits.conversations_at_once_max).places:
            self.pause(self.wake, POLL_SECONDS)
            return
        if self.circuit.is_open:
            self.ask_canary(store)
            return
        endpoint = self.endpoint  # another model is for the next conversation
        task = store.claim(endpoint.model)
        if task is None:
            if store.has_open_failures() or self.is_canary_due(store):
                self.ask_canary(store)
            else:
                self.pause(self.wake, POLL_SECONDS)
            return
        started = time.monotonic()
        with self.counted():
            self.write(store, task, limits, endpoint)
        self.publish_counters(store)
        share = self.share(limits.conversations_at_once_max)
        self.full.wait(decide_rest(time.monotonic() - started, share.busy_ratio))

    def wait_for_server(self, store: Store) -> Limits:
        """Wait as long as the model server is to be left alone; return the settings then."""
        limits, endpoint = self.follow_settings(store), self.endpoint
        wait = self.circuit.decide_wait(random.random()) if self.circuit.is_open else 0.0  # noqa: S311
        ends = max(time.monotonic() + wait, self.not_before)
        # A model that people set meanwhile may well work: it is not kept waiting.
        while self.endpoint is endpoint and (left := ends - time.monotonic()) > 0:
            self.pause(self.wake, min(left, POLL_SECONDS))
            if self.full.is_set():
                break
            limits = self.follow_settings(store)
        return limits

    def follow_settings(self, store: Store) -> Limits:
        """Return the settings in force, after changing to their model if it is another one."""
        with self.choosing:  # no place goes back to what it read before another one
            limits = read_limits(store)
            model = limits.model or self.first_model
            if model == self.endpoint.model:
                return limits
            logger.info("Another model is used.", extra={"model": model})
            # What is known of the old one stays with the conversations that still use it.
            self.endpoint = replace(self.endpoint, model=model, known=Known())
            with self.counting:
                was_open, self.circuit = self.circuit.is_open, Circuit()
        if was_open:
            self.tell_circuit(store, f"The model is {model} now.")
        self.publish_counters(store)
        return limits

    def share(self, at_once_max: int) -> Share:
        """Return how much of the model server may be used now; nothing while its model is out."""
        self.places = decide_places(self.server.report if self.server else None, at_once_max)
        if self.server and self.server.is_out:
            return Share(0, 0.0)
        places = 1 if self.circuit.is_open else self.places
        return decide_share(places, read_throttle_factor(self.runtime_folder))

    def is_canary_due(self, store: Store) -> bool:
        """Return whether the server was asked for nothing for long, although it may be asked."""
        is_long = time.monotonic() - self.asked_at >= CANARY_SECONDS
        return is_long and not store.is_paused()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what is under way at the model server."""
        with self.counting:
            self.calls += 1
        try:
            yield
        finally:
            with self.counting:
                self.calls -= 1
            self.asked_at = time.monotonic()

    def ask_continuation(
        self, store: Store, endpoint: Endpoint, keep_going: Callable[[], bool]
    ) -> None:
        """Find out, while holding a task, whether the model server continues a begun answer."""
        call = Call(endpoint.model)
        try:
            found = continuation.ask(endpoint, call, keep_going)
        except EndpointError as exc:
            found = None  # the conversation will fail too, or the next one asks again
            logger.warning("Failed to ask for a continuation.", extra={"error": str(exc)})
        store.insist(lambda: store.record(call, None), keep_going)
        if found:
            endpoint.known.continuation = found
            store.insist(lambda: store.set_continuation(endpoint.model, found), keep_going)
            logger.info("Asked for a continuation.", extra={"model_server": found})

    def write(self, store: Store, task: Task, limits: Limits, endpoint: Endpoint) -> None:
        """Write one task's conversation, or give the task back."""
        extra = {"task_id": task.task_id, "scenario": task.scenario, "attempt": task.attempt}
        with Lease(self.store(), task, limits.lease_seconds) as lease:
            keep_going = self.watch(Owner(self.runtime_folder), lease)
            try:
                if endpoint.known.continuation is None:
                    self.ask_continuation(store, endpoint, keep_going)
                writer = Writer(store, endpoint.for_conversation(), limits, keep_going)
                conversation_id = writer.write(task)
            except LostLeaseError as exc:
                logger.warning(
                    "Dropped a task that is no longer ours.", extra=extra | {"error": str(exc)}
                )
            except psycopg.OperationalError:
                raise
            except Exception as exc:  # noqa: BLE001 - one bad task must not end the worker
                self.give_back(store, task, exc)
            else:
                with self.counting:
                    self.circuit = Circuit()
                logger.info(
                    "Stored a conversation.", extra=extra | {"conversation_id": conversation_id}
                )
                self.judge_wake.set()

    def watch(self, owner: Owner, lease: Lease | None = None) -> Callable[[], bool]:
        """Return what says whether a call to the model server may still go on."""
        return lambda: (
            (lease is None or lease.is_held) and not self.stop.is_set() and not owner.has_cut()
        )

    def give_back(self, store: Store, task: Task, exc: Exception) -> None:
        """
        Give a task back after an error, and count what failed.

        The message may quote a model that quotes the persona, and people read it: it is scrubbed.
        """
        failure = decide_failure(exc)
        extra = {"task_id": task.task_id, "kind": failure.kind, "error": str(exc)}
        is_ours = failure.kind == "internal_error"
        logger.warning("Gave a task back.", extra=extra, exc_info=exc if is_ours else None)
        message = scrub(failure.message, find_persona(task.persona, task.definition, task.seed))
        try:
            self.insist(store, lambda: store.release(task, failure.kind, message))
        except LostLeaseError:
            logger.info("The task was taken back already.", extra=extra)
        self.not_before = max(self.not_before, time.monotonic() + decide_delay(exc))
        if failure.kind:
            with self.counting:
                was_open, self.circuit = self.circuit.is_open, self.circuit.after_failure()
            if self.circuit.is_open and not was_open:
                self.tell_circuit(store, message)

    def ask_canary(self, store: Store) -> None:
        """Find out by one short call whether the model server can write; decide what failed."""
        endpoint, keep_going = self.endpoint, self.watch(Owner(self.runtime_folder))
        call = Call(endpoint.model)
        reason = "The model server answers again."
        try:
            with self.counted():
                canary.ask(endpoint, call, keep_going)
        except OrchestratorError as exc:
            reason = decide_failure(exc).message
            self.not_before = max(self.not_before, time.monotonic() + decide_delay(exc))
        has_answered = call.outcome == "ok"
        self.insist(store, lambda: store.record(call, None))
        if not has_answered and not keep_going():
            return  # we hung up ourselves
        with self.counting:
            was_open = self.circuit.is_open
            self.circuit = self.circuit.after_canary(has_answered=has_answered)
        self.insist(store, lambda: store.decide_failures(can_write=has_answered))
        if was_open != self.circuit.is_open:
            endpoint.known.forget()  # the server may have come back as another
            self.tell_circuit(store, reason)
        self.publish_counters(store)

    def insist(self, store: Store, action: Callable[[], None]) -> None:
        """Do what must be done in the database, however long it is away, until we are to end."""
        store.insist(action, lambda: not self.stop.is_set())

    def tell_circuit(self, store: Store, reason: str) -> None:
        """Make it known that the model server is no longer used, or is used again."""
        logger.warning("The circuit has changed.", extra={"is_open": self.circuit.is_open})
        is_open = self.circuit.is_open
        self.insist(store, lambda: store.set_circuit(is_open=is_open, reason=reason))

    def judge_all(self) -> None:
        """
        Judge finished conversations; also while generation is paused or throttled.

        A worker that is drained looks once more after its last conversation was stored.
        """
        is_last = False
        if not CAN_FIND_NEAR_COPIES:
            remedy = "pip install 'transcript-fleet[quality]'"
            logger.warning("Near copies are not looked for here.", extra={"remedy": remedy})
        with closing(self.store()) as store:
            while not (is_last or self.stop.is_set()):
                is_last = self.has_written.is_set()
                try:
                    if self.server:
                        self.server.notes.store(store)
                    has_judged = judge_batch(store) or sketch_batch(store)
                    self.publish_counters(store)
                    if not (has_judged or is_last):
                        self.pause(self.judge_wake, POLL_SECONDS)
                except psycopg.OperationalError as exc:
                    logger.warning("The database is away.", extra={"error": str(exc)})
                    self.pause(self.judge_wake, POLL_SECONDS)
                except Exception:  # as above
                    logger.exception("Failed to look for conversations.")
                    self.pause(self.judge_wake, POLL_SECONDS)

    def publish_counters(self, store: Store) -> None:
        """
        Hand the exporter our counters as the database has them.

        One thread at a time, so that no older values come after newer ones.
        """
        with self.publishing:
            endpoint = self.endpoint
            circuit = {"name": CIRCUIT_METRIC, "labels": {}, "value": int(self.circuit.is_open)}
            states = self.server.describe() if self.server else []
            counters = [*store.counters(), circuit, *states]
            known = {"model": endpoint.model, "does": endpoint.known.continuation}
            content = {"counters": counters, "begun_answer": known}
            runtime.write(self.runtime_folder / "counters.json", content)

    def pause(self, event: threading.Event, seconds: float) -> None:
        """Wait for a wake-up, with jitter so that a fleet does not poll in step."""
        event.wait(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
        event.clear()

    def start(self) -> list[threading.Thread]:
        """Start writing and judging; return the threads, which end soon after `end`."""
        targets = (self.judge_all, self.look_after_server, self.write_everywhere)
        threads = [threading.Thread(target=target) for target in targets]
        for thread in threads:
            thread.start()
        return threads

    def write_everywhere(self) -> None:
        """Write in as many threads as there are places, which become more with the slots."""
        places: list[threading.Thread] = []
        while not self.full.is_set():
            while len(places) < self.places:
                places.append(threading.Thread(target=self.generate, args=(len(places),)))
                places[-1].start()
            self.full.wait(SIGNAL_SECONDS)
        for place in places:
            place.join()
        self.has_written.set()
        self.judge_wake.set()

    def end(self) -> None:
        """Stop all threads; the running task is given back."""
        self.stop.set()
        self.drain()

    def drain(self) -> None:
        """Begin nothing more; the threads end after what they have in hand."""
        self.full.set()
        self.look()

    def look(self) -> None:
        """Have all threads look for work now."""
        self.wake.set()
        self.judge_wake.set()

    def look_after_server(self) -> None:
        """Watch the model server until all has ended; the judging thread stores what is new."""
        if self.server:
            self.server.run(
                lambda: (self.endpoint.model, self.calls > 0, self.circuit.is_open),
                self.full,
                self.judge_wake.set,
            )

    def listen_to_agent(self, said: Iterable[str]) -> None:
        """Do what the agent says; end when there is no agent any more."""
        for line in said:
            if line.strip() == DRAIN:
                logger.info("Draining: nothing more is begun.")
                self.drain()
            else:
                self.look()
        logger.info("The node agent is gone; ending.")
        self.end()


def read_limits(store: Store) -> Limits:
    """Return the settings in force for generation."""
    return parse_limits(store.settings()[1])


def live_with_agent(worker: Worker, patience_seconds: float = PATIENCE_SECONDS) -> None:
    """End with the agent, by force where a thread hangs: the next agent starts the next worker."""
    worker.listen_to_agent(sys.stdin)
    time.sleep(patience_seconds)
    os._exit(1)


def make_worker(settings: NodeSettings, to_database: Connect, endpoint: Endpoint) -> Worker:
    """Return the worker of a node; its threads share the id, and what they know of an outage."""
    worker_id = uuid.uuid4()
    outage = Outage(f"The worker on {settings.node}", AFTER_OUTAGE)

    def make_store() -> Store:
        return Store(to_database, worker_id, outage)

    health = look_after(settings.llm_url, settings.runtime_folder)
    return Worker(make_store, endpoint, settings.runtime_folder, server=health)


def main(argv: list[str]) -> int:
    """Run the worker of this node until it is told to stop."""
    del argv
    log.configure()
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # else a line for each call
    settings = NodeSettings.from_environ(os.environ)
    try:
        take_lock(settings.runtime_folder / "worker.lock", "worker")
    except OrchestratorError as exc:
        logger.error("%s", exc)  # noqa: TRY400 - the sentence says it all
        return 1
    endpoint = connect(settings.llm_url, settings.llm_model)
    worker = make_worker(settings, lambda: connect_database(settings.dsn, "fleet worker"), endpoint)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.end())
    threading.Thread(target=live_with_agent, args=(worker,), daemon=True).start()
    for thread in worker.start():
        # A signal that comes just before a wait without end is handled only after it: never.
        while thread.is_alive():
            thread.join(SIGNAL_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
