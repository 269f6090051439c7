"""The program `fleet_twin`: all nodes, their model servers, and the second hand that moves them."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_exporters.reading.changed_file import ChangedFile
from fleet_orchestrator.events.spool import EventSpool
from fleet_orchestrator.model_server.endpoint import connect as connect_model
from fleet_timescale import settings
from fleet_timescale.connection import connect as connect_database

from fleet_twin import faults
from fleet_twin.fleet.connections import Pool
from fleet_twin.fleet.node import Node, Site
from fleet_twin.fleet.notices import Notices
from fleet_twin.fleet.pages import make_server
from fleet_twin.fleet.programs import MACHINE, tell_programs
from fleet_twin.machine.kinds import list_places
from fleet_twin.machine.simulation import make_machine
from fleet_twin.model_server.server import ModelServer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fleet_twin.machine.kinds import Place

logger = logging.getLogger(__name__)

STEP_SECONDS = 1.0


@dataclass(frozen=True)
class TwinSettings:
    """What the twin is told by its launcher."""

    places: Sequence[Place]
    runtime: Path
    spool: Path
    faults: Path  # folder of the file that says which are set
    pages: tuple[str, int]
    models: tuple[str, int]
    seed: str
    dsn: str = field(repr=False)
    supervisor_log: Path | None = None  # of the programs of this home; None: nobody tells of them

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> TwinSettings:
        """
        Read FLEET_TWIN_NODES, _TWIN_SEED, _HOME, _RUNTIME_DIR, _LISTEN, _LLM_LISTEN.

        And FLEET_DATABASE_URL_FILE, of the owner: only one may take on the logins of the nodes.
        FLEET_SUPERVISOR_LOG is read where it is set.
        """
        home = Path(settings.text(environ, "FLEET_HOME"))
        log = environ.get("FLEET_SUPERVISOR_LOG", "").strip()
        return cls(
            places=list_places(int(settings.number(environ, "FLEET_TWIN_NODES", 5))),
            runtime=Path(settings.text(environ, "FLEET_RUNTIME_DIR")),
            spool=home / "spool",
            faults=home / "twin",
            pages=settings.address(environ, "FLEET_LISTEN"),
            models=settings.address(environ, "FLEET_LLM_LISTEN"),
            seed=settings.text(environ, "FLEET_TWIN_SEED", "twin"),
            dsn=settings.secret(environ, "FLEET_DATABASE_URL"),
            supervisor_log=Path(log) if log else None,
        )


class FaultsFile:
    """Reads the faults when their file has changed; a damaged one changes nothing."""

    def __init__(self, folder: Path) -> None:
        self._file = ChangedFile(folder / faults.FILE)
        self._held: faults.Faults = {}

    def read(self) -> faults.Faults:
        """Return the faults in force."""
        try:
            text = self._file.read()
            if text is not None:
                self._held = faults.parse(text)
                told = {node: sorted(names) for node, names in self._held.items()}
                logger.info("faults have changed", extra={"faults": told})
        except FileNotFoundError:
            self._held = {}
        except (OSError, faults.FaultError) as exc:
            logger.warning("faults cannot be read", extra={"error": str(exc)})
        return self._held


def advance_all(nodes: Mapping[str, Node], held: faults.Faults, models: ModelServer) -> None:
    """Move all machines on by what has gone by; one that fails does not hold up the others."""
    now, local = time.monotonic(), datetime.now().astimezone()
    for name, node in nodes.items():
        try:
            node.advance(held.get(name, frozenset()), now, local, models.read_load(name))
        except Exception:
            logger.exception("a machine cannot be moved on", extra={"node": name})


@contextmanager
def running(told: TwinSettings) -> Iterator[dict[str, Node]]:
    """Run all nodes meanwhile."""
    machines = {place.node: make_machine(place, told.seed) for place in told.places}
    nodes: dict[str, Node] = {}
    pool, notices, stop = Pool(told.dsn), Notices(), threading.Event()
    with serve(lambda name: nodes[name].read_behaviour(), *told.models) as models:
        client = connect_model(models.url("none"), "none").client
        site = Site(pool, notices, client, models.url, told.runtime, told.spool)
        nodes |= {name: Node(machine, site) for name, machine in machines.items()}
        held = FaultsFile(told.faults)
        advance_all(nodes, held.read(), models)
        pages = make_server(told.pages, nodes)
        connect = partial(connect_database, told.dsn, "fleet twin")
        listen = partial(notices.listen, connect, stop)
        spool = EventSpool(told.spool / "events.json", MACHINE, told.supervisor_log)
        tell = partial(tell_programs, connect, spool, stop)

        def move() -> None:
            while not stop.wait(STEP_SECONDS):
                advance_all(nodes, held.read(), models)

        for work in (pages.serve, listen, tell, move):
            threading.Thread(target=work, daemon=True).start()
        for node in nodes.values():
            node.start()
        logger.info("the twin runs", extra={"nodes": len(nodes)})
        try:
            yield nodes
        finally:
            stop.set()
            pages.end()
            for node in nodes.values():
                node.thaw()
                node.stop()
            for node in nodes.values():
                node.join()
            client.close()
            pool.close()
