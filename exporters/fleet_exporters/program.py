"""An exporter put together: its tick, its page, its state file, its way to the database."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleet_exporters.exporter import STATE, Exporter
from fleet_exporters.reading.counters import Counters
from fleet_exporters.sinks.database.rows import make_batch
from fleet_exporters.sinks.database.segments import Segments
from fleet_exporters.sinks.database.spool import Spool
from fleet_exporters.sinks.database.timescale import Ingest
from fleet_exporters.sinks.page.access import Access
from fleet_exporters.sinks.page.prometheus import Exposition
from fleet_exporters.sinks.state import StateFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fleet_timescale.connection import Connect

    from fleet_exporters.collectors.clock import Clock
    from fleet_exporters.decision.rules import RulesFile
    from fleet_exporters.decision.verdict import Decider
    from fleet_exporters.reading.sampler import Sampler
    from fleet_exporters.sample import Tick
    from fleet_exporters.settings import Settings

logger = logging.getLogger(__name__)

END_SECONDS = 3.0  # time limit for the last batch when the program ends


@dataclass(frozen=True)
class World:
    """What an exporter reads and where it stores: this machine, or one that does not exist."""

    sampler: Sampler
    decider: Decider
    connect: Connect
    clock: Clock  # measured against the database
    rules: RulesFile
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class _ToDatabase:
    """The sink that puts a tick's rows into the spool and wakes the thread that empties it."""

    def __init__(
        self,
        node: str,
        spool: Spool,
        ingest: Ingest,
        wake: threading.Event,
        read_held_back: Callable[[], str],
    ) -> None:
        self._node = node
        self._read_held_back = read_held_back
        self._held_back = ""
        self._spool = spool
        self._ingest = ingest
        self._wake = wake

    def publish(self, tick: Tick) -> None:
        """
        Queue the rows; log what a full spool loses, once a tick.

        What is read while another machine speaks for the node is nobody's: it is not queued.
        """
        if self._is_held_back():
            self._wake.set()  # lets its connection go
            return
        dropped = self._spool.put(make_batch(tick, self._node))
        if dropped:
            logger.warning("spool is full; oldest rows are dropped", extra={"rows": dropped})
        self._ingest.watch()
        self._wake.set()

    def _is_held_back(self) -> bool:
        reason = self._read_held_back()
        if reason != self._held_back:
            self._held_back = reason
            logger.warning(
                "readings are not stored" if reason else "readings are stored again",
                extra={"reason": reason},
            )
        return bool(reason)


def make_spool(folder: Path | None) -> Spool:
    """Return the spool, on disk where that can be used; else rows wait in memory alone."""
    if folder is None:
        return Spool()
    try:
        return Spool(Segments(folder))
    except OSError as exc:
        logger.warning("spool is in memory only", extra={"path": folder, "error": str(exc)})
        return Spool()


class Program:
    """The parts of one exporter; `exposition` holds its page."""

    def __init__(self, settings: Settings, world: World) -> None:
        access = Access(lambda: world.rules.read().scrape_hashes, settings.scrape_token)
        self.exposition = Exposition(world.monotonic, access)
        self._tick_seconds = settings.tick_seconds
        self._spool, self._wake = make_spool(settings.spool_dir), threading.Event()
        self._ingest = Ingest(
            world.connect,
            self._spool,
            world.now,
            measure=world.clock.measure,
            node=settings.node,
            is_held_back=lambda: bool(world.rules.read().held_back),
        )
        to_database = _ToDatabase(
            settings.node,
            self._spool,
            self._ingest,
            self._wake,
            lambda: world.rules.read().held_back,
        )
        sinks = {
            "page": self.exposition.publish,
            STATE: StateFile(settings.runtime_dir).publish,
            "database": to_database.publish,
        }
        self._exporter = Exporter(
            world.sampler,
            sinks,
            self._ingest.read_status,
            world.monotonic,
            decider=world.decider,
            now=world.now,
        )
        self._counters = Counters(settings.runtime_dir, self.exposition.publish_counters)

    def run(self, stop: threading.Event) -> None:
        """Tick and store until `stop`."""
        # A daemon: a database that hangs must not keep the program from ending.
        storing = threading.Thread(
            target=self._ingest.run, args=(self._wake, stop), name="ingest", daemon=True
        )
        storing.start()
        try:
            self._exporter.run(self._tick_seconds, self._counters.refresh, stop)
        finally:
            stop.set()
            self._wake.set()
            storing.join(END_SECONDS)
            self._spool.settle(is_end=True)  # also when the thread still waits for the database
        logger.info("exporter ends", extra={"rows_waiting": self._spool.rows})
