"""The `fleet exporter` program: wires the parts together and runs until it is stopped."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING

from fleet_timescale import log
from fleet_timescale.connection import connect
from fleet_timescale.errors import FleetError

from fleet_exporters.collectors import SLOW_PERIODS, make_families
from fleet_exporters.collectors.clock import Clock
from fleet_exporters.decision.rules import RulesFile
from fleet_exporters.decision.verdict import Decider
from fleet_exporters.exporter import Exporter
from fleet_exporters.lock import hold_lock
from fleet_exporters.reading.counters import Counters
from fleet_exporters.reading.sampler import Sampler
from fleet_exporters.settings import Settings, from_env
from fleet_exporters.signals.sources import Watch, make_sources
from fleet_exporters.sinks.database.rows import make_batch
from fleet_exporters.sinks.database.segments import Segments
from fleet_exporters.sinks.database.spool import Spool
from fleet_exporters.sinks.database.timescale import Ingest
from fleet_exporters.sinks.page.prometheus import Exposition
from fleet_exporters.sinks.page.server import Server
from fleet_exporters.sinks.state import StateFile

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_exporters.sample import Tick

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0  # how long the first tick waits for background readers
END_SECONDS = 3.0  # time limit for the last batch when the program ends


class _ToDatabase:
    """The sink that puts a tick's rows into the spool and wakes the thread that empties it."""

    def __init__(self, node: str, spool: Spool, ingest: Ingest, wake: threading.Event) -> None:
        self._node = node
        self._spool = spool
        self._ingest = ingest
        self._wake = wake

    def publish(self, tick: Tick) -> None:
        """Queue the rows; log what a full spool loses, once a tick."""
        dropped = self._spool.put(make_batch(tick, self._node))
        if dropped:
            logger.warning("spool is full; oldest rows are dropped", extra={"rows": dropped})
        self._ingest.watch()
        self._wake.set()


def make_spool(folder: Path | None) -> Spool:
    """Return the spool, on disk where that can be used; else rows wait in memory alone."""
    if folder is None:
        return Spool()
    try:
        return Spool(Segments(folder))
    except OSError as exc:
        logger.warning("spool is in memory only", extra={"path": folder, "error": str(exc)})
        return Spool()


def run(settings: Settings, stop: threading.Event) -> None:
    """Serve and tick until `stop`. Raises ExporterError if the address cannot be used."""
    exposition, spool, wake = Exposition(), make_spool(settings.spool_dir), threading.Event()
    server = Server((settings.host, settings.port), exposition, settings.tick_seconds)
    clock = Clock()
    connect_node = partial(connect, settings.database_url, "fleet exporter")
    ingest = Ingest(connect_node, spool, measure=clock.measure, node=settings.node)
    families = make_families(settings.watched, clock=clock, monitor_url=settings.monitor_url)
    sampler = Sampler(families, slow=SLOW_PERIODS)
    rules = RulesFile(settings.runtime_dir)
    watch = Watch(make_sources(settings.games, lambda: rules.last.process_ids))
    exporter = Exporter(
        sampler,
        {
            "page": exposition.publish,
            "state": StateFile(settings.runtime_dir).publish,
            "database": _ToDatabase(settings.node, spool, ingest, wake).publish,
        },
        ingest.read_status,
        decider=Decider(watch.read, rules.read),
    )
    counters = Counters(settings.runtime_dir, exposition.publish_counters)
    # Daemons: a database that hangs must not keep the program from ending.
    storing = threading.Thread(target=ingest.run, args=(wake, stop), name="ingest", daemon=True)
    serving = threading.Thread(target=server.serve, name="http", daemon=True)
    storing.start()
    serving.start()
    logger.info("exporter runs", extra={"node": settings.node, "port": server.server_port})
    try:
        watch.start(stop)
        sampler.start(stop, PATIENCE_SECONDS)
        exporter.run(settings.tick_seconds, counters.refresh, stop)
    finally:
        stop.set()
        wake.set()
        server.end()
        storing.join(END_SECONDS)
        spool.settle(is_end=True)  # also when the thread still waits for the database
    logger.info("exporter ends", extra={"rows_waiting": spool.rows})


def main(argv: list[str]) -> int:
    """Run the exporter of this node; settings come from FLEET_* variables."""
    parser = argparse.ArgumentParser(prog="fleet exporter", description=main.__doc__)
    parser.parse_args(argv)
    log.configure()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = from_env(os.environ)
        with hold_lock(settings.runtime_dir, settings.node):
            run(settings, stop)
    except FleetError as exc:
        logger.error("exporter cannot run", extra={"error": str(exc)})  # noqa: TRY400 - no bug
        return 1
    return 0
