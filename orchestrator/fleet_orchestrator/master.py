"""
The master: splits jobs, takes back lost work, closes finished jobs, publishes how the fleet stands.

Any number may run; one leads, by a lease in the database, and the others stand by.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import psycopg
from fleet_timescale import log
from fleet_timescale.connection import Connect, Connection
from fleet_timescale.connection import connect as connect_database
from fleet_timescale.events import Outage
from prometheus_client import CollectorRegistry, start_http_server

from fleet_orchestrator.fleet_metrics import FleetCollector, read_standing
from fleet_orchestrator.node import end_on_signal
from fleet_orchestrator.settings import MasterSettings

logger = logging.getLogger(__name__)
STANDING_SECONDS = 2.0  # how often the published numbers are read
KEEP_LEVELS = ("SELECT telemetry.upkeep()", "SELECT telemetry.note_storage()")
LEVELS_SECONDS = 30.0  # how often readings are rolled up: a minute is there within one of its end
STATEMENT_SECONDS = 10  # a frozen database must not look like a calm fleet
UPKEEP = {
    "tasks_taken_back": "SELECT fleet.sweep_tasks() AS value",
    "judgements_given_up": "SELECT fleet.sweep_judgements() AS value",
    "tasks_made": "SELECT fleet.split_jobs() AS value",
    "jobs_closed": "SELECT fleet.settle_jobs() AS value",
    "commands_expired": "SELECT fleet.expire_commands() AS value",
}


@dataclass
class Master:
    """One contender for leadership."""

    collector: FleetCollector
    master_id: uuid.UUID = field(default_factory=uuid.uuid4)
    epoch: int | None = None
    _standing_at: float = 0.0
    _levels_at: float = 0.0

    def tick(self, connection: Connection) -> dict[str, int]:
        """Do one round when leading; return how much of each kind of upkeep was done."""
        epoch = self.lead(connection)
        if epoch != self.epoch:
            logger.info("Leading." if epoch else "Standing by.", extra={"epoch": epoch})
            self.epoch = epoch
        if epoch is None:
            self.collector.forget()
            return {}
        # One statement each: together they would hold locks of tasks while they wait for jobs.
        done = {name: _value(connection, statement) for name, statement in UPKEEP.items()}
        connection.execute("SELECT fleet.fold_counts()")
        if time.monotonic() - self._standing_at >= STANDING_SECONDS:
            self.collector.publish(read_standing(connection))
            self._standing_at = time.monotonic()
        if time.monotonic() - self._levels_at >= LEVELS_SECONDS:
            for statement in KEEP_LEVELS:
                keep_levels(connection, statement)
                self.lead(connection)  # it may have taken as long as the lease
            self._levels_at = time.monotonic()
        return {name: count for name, count in done.items() if count}

    def lead(self, connection: Connection) -> int | None:
        """Take or renew the lease; return its epoch, None while another master leads."""
        epoch: int | None = _value(connection, "SELECT fleet.lead(%s) AS value", self.master_id)
        return epoch

    def resign(self, connection: Connection) -> None:
        """Let another master lead at once."""
        connection.execute("SELECT fleet.stop_leading(%s)", [self.master_id])


def keep_levels(connection: Connection, statement: str) -> None:
    """Bring minutes and hours up to date; what cannot be done now is done the next time."""
    connection.add_notice_handler(log_warning)
    try:
        connection.execute(statement.encode())
    except psycopg.Error as exc:
        if connection.closed:
            raise
        logger.warning("Readings could not be kept in levels.", extra={"error": str(exc)})
    finally:
        connection.remove_notice_handler(log_warning)


def log_warning(said: psycopg.errors.Diagnostic) -> None:
    """Log what the database warns of: a table whose readings could not be rolled up, say."""
    if said.severity_nonlocalized == "WARNING":
        logger.warning("The database warns.", extra={"warning": said.message_primary})


def _value(connection: Connection, statement: str, *params: Any) -> Any:
    return connection.execute(statement.encode(), params).fetchall()[0]["value"]


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
                connection.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())
                while not stop.wait(pace.tick):
                    if done := master.tick(connection):
                        logger.info("Did the upkeep.", extra=done)
                master.resign(connection)
        except psycopg.OperationalError as exc:
            logger.warning("The database is away.", extra={"error": str(exc)})
            outage.begin(exc)
            master.collector.forget()
            stop.wait(pace.retry)


def main(argv: list[str]) -> int:
    """Run a master."""
    del argv
    log.configure()
    settings = MasterSettings.from_environ(os.environ)
    stop = threading.Event()
    end_on_signal(stop)
    registry = CollectorRegistry()
    master = Master(FleetCollector())
    registry.register(master.collector)
    server, thread = start_http_server(settings.port, settings.host, registry)
    run(lambda: connect_database(settings.dsn, "fleet master"), master, stop)
    server.shutdown()
    thread.join()
    return 0
