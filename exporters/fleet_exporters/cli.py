"""The `fleet exporter` program: wires the parts together and runs until it is stopped."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from functools import partial

from fleet_timescale import log
from fleet_timescale.connection import connect
from fleet_timescale.errors import FleetError

from fleet_exporters.collectors import SLOW_PERIODS, make_families
from fleet_exporters.collectors.clock import Clock
from fleet_exporters.decision.rules import RulesFile
from fleet_exporters.decision.verdict import Decider
from fleet_exporters.lock import hold_lock
from fleet_exporters.program import Program, World
from fleet_exporters.reading.sampler import Sampler
from fleet_exporters.settings import Settings, from_env
from fleet_exporters.signals.sources import Watch, make_sources
from fleet_exporters.sinks.page.server import Server

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0  # how long the first tick waits for background readers


def run(settings: Settings, stop: threading.Event) -> None:
    """Serve and tick until `stop`. Raises ExporterError if the address cannot be used."""
    clock, rules = Clock(), RulesFile(settings.runtime_dir)
    families = make_families(
        settings.watched,
        model=settings.model,
        clock=clock,
        monitor_url=settings.monitor_url,
        runtime_dir=settings.runtime_dir,
    )
    sampler = Sampler(families, slow=SLOW_PERIODS)
    watch = Watch(make_sources(settings.games, lambda: rules.last.process_ids))
    connect_node = partial(connect, settings.database_url, "fleet exporter")
    world = World(sampler, Decider(watch.read, rules.read), connect_node, clock, rules)
    program = Program(settings, world)
    address = settings.host, settings.port
    server = Server(address, {b"": program.exposition}.get, settings.tick_seconds)
    # A daemon: a client that hangs must not keep the program from ending.
    threading.Thread(target=server.serve, name="http", daemon=True).start()
    logger.info("exporter runs", extra={"node": settings.node, "port": server.server_port})
    try:
        watch.start(stop)
        sampler.start(stop, PATIENCE_SECONDS)
        program.run(stop)
    finally:
        stop.set()
        server.end()


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
