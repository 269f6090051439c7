"""
The master: splits jobs, takes back lost work, closes finished jobs, publishes how the fleet stands.

Any number may run; one leads, by a lease in the database, and the others stand by. Each write of
the leader proves in its own transaction that it leads (fleet.do_upkeep): one that was asleep for
longer than its lease writes nothing any more.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from fleet_timescale import log
from fleet_timescale.connection import Connect, Connection
from fleet_timescale.connection import connect as connect_database
from fleet_timescale.events import Outage, is_away, record
from prometheus_client import CollectorRegistry, start_http_server

from fleet_orchestrator.alert_sample import AlertSampler
from fleet_orchestrator.ending import end_on_signal
from fleet_orchestrator.errors import OrchestratorError
from fleet_orchestrator.fleet_metrics import FleetCollector, read_standing
from fleet_orchestrator.rounds import SAMPLE, STANDING_BY, STEPS, Round, describe_round
from fleet_orchestrator.settings import MasterSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)
STANDING_SECONDS = 2.0  # how often the published numbers are read
KEEP_LEVELS = ("keep_levels", "note_storage")
LEVELS_SECONDS = 30.0  # how often readings are rolled up: a minute is there within one of its end
STATEMENT_SECONDS = 10  # a frozen database must not look like a calm fleet
LOST_LEAD = "FL002"  # the SQLSTATE of fleet.hold_lead
NEW_JOB = "fleet_jobs"  # the channel on which the database tells of one
LOOK_SECONDS = 0.2  # how often a master that waits looks whether it was told to end


class LostLeadError(OrchestratorError):
    """Another master leads: this one was asleep for longer than its lease."""


@dataclass
class Master:
    """One contender for leadership."""

    collector: FleetCollector
    master_id: uuid.UUID = field(default_factory=uuid.uuid4)
    sampler: AlertSampler | None = None  # None: there is no Prometheus
    epoch: int | None = None
    clock: Callable[[], float] = time.monotonic
    _standing_at: float = float("-inf")
    _levels_at: float = float("-inf")

    def tick(self, connection: Connection) -> Round:
        """Do one round when leading; return what it did, and why."""
        self._note(self.lead(connection))
        if self.epoch is None:
            return Round(STANDING_BY)
        try:
            return self._do_round(connection)
        except LostLeadError as exc:
            logger.warning("%s", exc)
            self._note(None)
            return Round(STANDING_BY)

    def lead(self, connection: Connection) -> int | None:
        """Take or renew the lease; return its epoch, None while another master leads."""
        row = connection.execute("SELECT fleet.lead(%s) AS epoch", [self.master_id]).fetchall()[0]
        epoch: int | None = row["epoch"]
        return epoch

    def resign(self, connection: Connection) -> None:
        """Let another master lead at once."""
        connection.execute("SELECT fleet.stop_leading(%s)", [self.master_id])

    def _note(self, epoch: int | None) -> None:
        """Remember whether we lead; who does not, publishes nothing."""
        if epoch != self.epoch:
            logger.info("Leading." if epoch else "Standing by.", extra={"epoch": epoch})
            self.epoch = epoch
            if epoch:
                self.collector.note_levels()  # of the time before we know nothing
        if epoch is None:
            self.collector.forget()

    def _do_round(self, connection: Connection) -> Round:
        done = {step.name: self._do(connection, step.name) for step in STEPS}
        self.collector.count_taken_back(done["sweep_tasks"])
        self._do(connection, "fold_counts")
        news = ""
        if self.sampler is not None:
            news = self._tell_news(connection, self.sampler)
            done[SAMPLE.name] = self._sample_alerts(connection, self.sampler)
        done_round = describe_round(done, news)
        if done_round.has_done:
            logger.info("%s", done_round.sentence, extra={k: n for k, n in done.items() if n})
            self._call(connection, "tell_round", done_round.sentence)
        if self.clock() - self._standing_at >= STANDING_SECONDS:
            self.collector.publish(read_standing(connection))
            self._standing_at = self.clock()
        if self.clock() - self._levels_at >= LEVELS_SECONDS:
            kept = [self._keep_levels(connection, step) for step in KEEP_LEVELS]
            if all(kept):
                self.collector.note_levels()
            self._levels_at = self.clock()
        return done_round

    def _tell_news(self, connection: Connection, sampler: AlertSampler) -> str:
        """Tell as an event when Prometheus falls silent or answers again; return it."""
        event = sampler.find_news()
        if event is None:
            return ""
        record(connection, event)
        sampler.note_told()
        return event.message

    def _sample_alerts(self, connection: Connection, sampler: AlertSampler) -> int:
        """Keep what Prometheus said last; return how many alerts began or ended."""
        rules = sampler.take()
        if rules is None:
            return 0
        try:
            return int(self._call(connection, SAMPLE.name, json.dumps(rules)))
        except psycopg.Error as exc:
            if connection.closed:
                raise
            logger.warning("Alerts could not be kept.", extra={"error": str(exc)})
            return 0

    def _keep_levels(self, connection: Connection, step: str) -> bool:
        """
        Bring minutes and hours up to date; return whether all of it could be done.

        What cannot be done now is done the next time.
        """
        with listen_to_warnings(connection) as warnings:
            try:
                self._do(connection, step)
            except psycopg.Error as exc:
                if connection.closed:
                    raise
                logger.warning("Readings could not be kept in levels.", extra={"error": str(exc)})
                return False
        return not warnings

    def _do(self, connection: Connection, step: str) -> int:
        """Do one step of the upkeep, in one transaction with the proof that we lead."""
        value: int = self._call(connection, "do_upkeep", step)
        return value

    def _call(self, connection: Connection, function: str, argument: str) -> Any:
        """Call a function that only the leader may. Raises LostLeadError."""
        statement = f"SELECT fleet.{function}(%s, %s, %s) AS value"
        try:
            cursor = connection.execute(statement.encode(), [self.master_id, self.epoch, argument])
        except psycopg.Error as exc:
            if exc.sqlstate == LOST_LEAD:
                raise LostLeadError(exc.diag.message_primary) from exc
            raise
        return cursor.fetchall()[0]["value"]


@contextmanager
def listen_to_warnings(connection: Connection) -> Iterator[list[str]]:
    """Log what the database warns of: a table whose readings could not be rolled up, say."""
    warnings: list[str] = []

    def hear(said: psycopg.errors.Diagnostic) -> None:
        if said.severity_nonlocalized == "WARNING":
            logger.warning("The database warns.", extra={"warning": said.message_primary})
            warnings.append(said.message_primary or "")

    connection.add_notice_handler(hear)
    try:
        yield warnings
    finally:
        connection.remove_notice_handler(hear)


@dataclass(frozen=True)
class Pace:
    """How often a master ticks, and how long it waits for an absent database; seconds."""

    tick: float = 1.0
    retry: float = 2.0


def run(connect: Connect, master: Master, stop: threading.Event, pace: Pace = Pace()) -> None:
    """Tick until told to stop; the database may come and go."""
    outage = Outage("The master", "no tasks were made or taken back")
    while not stop.is_set():
        try:
            with connect() as connection:
                outage.end(connection)
                master.collector.note_database(answers=True)
                connection.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())
                connection.execute(f"LISTEN {NEW_JOB}".encode())
                while wait_for_round(connection, stop, pace.tick):
                    master.tick(connection)
                    master.collector.note_database(answers=True)
                master.resign(connection)
        except psycopg.OperationalError as exc:
            logger.warning("The database is away.", extra={"error": str(exc)})
            outage.begin(exc)
            master.collector.note_database(answers=not is_away(exc))
            master.collector.forget()
            stop.wait(pace.retry)


def wait_for_round(connection: Connection, stop: threading.Event, seconds: float) -> bool:
    """Wait until the next round is due, at once for a new job; False when told to stop."""
    due = time.monotonic() + seconds
    while not stop.is_set() and (left := due - time.monotonic()) > 0:
        if list(connection.notifies(timeout=min(left, LOOK_SECONDS), stop_after=1)):
            break
    return not stop.is_set()


def main(argv: list[str]) -> int:
    """Run a master."""
    del argv
    log.configure()
    settings = MasterSettings.from_environ(os.environ)
    stop = threading.Event()
    end_on_signal(stop)
    registry = CollectorRegistry()
    url = settings.prometheus_url
    sampler = AlertSampler(url) if url else None
    master = Master(FleetCollector(), sampler=sampler)
    if sampler is not None:
        threading.Thread(target=sampler.run, args=[stop], name="alerts", daemon=True).start()
    registry.register(master.collector)
    server, thread = start_http_server(settings.port, settings.host, registry)
    run(lambda: connect_database(settings.dsn, "fleet master"), master, stop)
    server.shutdown()
    thread.join()
    return 0
