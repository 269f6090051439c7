"""
The master.

Splits jobs into tasks, takes back lost work, closes finished jobs, publishes how the fleet stands.

Any number may run; one leads, by a lease in the database, and the others stand by.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from dataclasses import dataclass, field

import psycopg
from fleet_timescale import log
from fleet_timescale.connection import Connect, Connection
from fleet_timescale.connection import connect as connect_database
from prometheus_client import CollectorRegistry, start_http_server

from fleet_orchestrator.fleet_metrics import FleetCollector, read_standing
from fleet_orchestrator.node import end_on_signal
from fleet_orchestrator.settings import MasterSettings

logger = logging.getLogger(__name__)
STANDING_SECONDS = 2.0  # how often the published numbers are read


@dataclass
class Master:
    """One contender for leadership."""

    collector: FleetCollector
    master_id: uuid.UUID = field(default_factory=uuid.uuid4)
    epoch: int | None = None
    _standing_at: float = 0.0

    def tick(self, connection: Connection) -> str | None:
        """Do one round when leading; return a sentence when something was done."""
        epoch = connection.execute("SELECT fleet.lead(%s) AS epoch", [self.master_id]).fetchall()[
            0
        ]["epoch"]
        if epoch != self.epoch:
            logger.info("Leading." if epoch else "Standing by.", extra={"epoch": epoch})
            self.epoch = epoch
        if epoch is None:
            self.collector.forget()
            return None
        row = connection.execute(
            "SELECT fleet.sweep_tasks() AS swept, fleet.split_jobs() AS split, "
            "fleet.settle_jobs() AS settled"
        ).fetchall()[0]
        if time.monotonic() - self._standing_at >= STANDING_SECONDS:
            self.collector.publish(read_standing(connection))
            self._standing_at = time.monotonic()
        if not any(row.values()):
            return None
        return f"Made {row['split']} tasks, took {row['swept']} back, closed {row['settled']} jobs."


@dataclass(frozen=True)
class Pace:
    """How often a master ticks, and how long it waits for an absent database; seconds."""

    tick: float = 1.0
    retry: float = 2.0


def run(connect: Connect, master: Master, stop: threading.Event, pace: Pace = Pace()) -> None:
    """Tick until told to stop; the database may come and go."""
    while not stop.is_set():
        try:
            with connect() as connection:
                while not stop.wait(pace.tick):
                    if sentence := master.tick(connection):
                        logger.info(sentence)
        except psycopg.OperationalError as exc:
            logger.warning("The database is away.", extra={"error": str(exc)})
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
