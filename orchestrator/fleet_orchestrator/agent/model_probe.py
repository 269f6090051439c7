"""
Try a model at the node's server before it becomes the node's setting.

The server must offer the model and write a sentence with it: a server with one model answers
whatever name it is asked for. A try runs in a thread, since a model may take minutes to load, and
heartbeats go on meanwhile. No try is begun while the machine's owner plays, and one that runs is
cut: a model that was loaded for nothing is taken out of memory again.
"""

from __future__ import annotations

import logging
import threading
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_orchestrator.blame import decide_failure
from fleet_orchestrator.errors import OrchestratorError
from fleet_orchestrator.model_server import canary
from fleet_orchestrator.model_server.backends.ask import make_ask
from fleet_orchestrator.model_server.backends.detect import detect
from fleet_orchestrator.model_server.endpoint import Call, EndpointError, connect
from fleet_orchestrator.owner import Owner
from fleet_orchestrator.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_timescale.connection import Connection

    from fleet_orchestrator.model_server.backends.backend import Backend

logger = logging.getLogger(__name__)
OWNER_FIRST = (
    "the node makes no calls now: its owner plays, or heat, battery or a person holds it back"
)


class NotOfferedError(OrchestratorError):
    """The server has other models."""


@dataclass
class Try:
    """One try: the call that it made, if it came to one, and what is wrong; None while it runs."""

    probe_id: uuid.UUID
    model: str
    call: Call | None = None
    error: str | None = None
    is_over: bool = False

    def run(self, url: str, owner: Owner) -> None:
        """Find out whether the server at an URL that ends in /v1 writes with the model."""
        try:
            if not owner.has_cut():
                self._try(detect(make_ask(url)), url, owner)
        except EndpointError as exc:
            self.error = decide_failure(exc).message
        except OrchestratorError as exc:
            self.error = str(exc)
        except Exception as exc:  # whatever it is, somebody waits for the answer
            logger.exception("Failed to try a model.")
            self.error = f"the try failed: {exc!r}"
        if owner.has_cut():
            self.error = OWNER_FIRST
        self.is_over = True

    def _try(self, backend: Backend, url: str, owner: Owner) -> None:
        check_offered(self.model, backend)
        was_out = backend.is_unloaded(self.model)
        self.call = Call(self.model)
        endpoint = connect(url, self.model)
        try:
            with closing(endpoint.client):
                canary.ask(endpoint, self.call, lambda: not owner.has_cut())
        finally:
            if was_out and (self.call.outcome != "ok" or owner.has_cut()):
                with suppress(OrchestratorError):  # what is wrong with the model says more
                    backend.unload(self.model)


def check_offered(model: str, backend: Backend) -> None:
    """Raise NotOfferedError when the server lists models, but not this one; AskError."""
    offered = sorted(each.name for each in backend.read_models())
    if offered and backend.find_model(model) is None:
        raise NotOfferedError(f"the model server does not offer it; it has: {', '.join(offered)}")


class ModelProbes:
    """Tries what is asked for, one model at a time; a new connection goes on with it."""

    def __init__(self, url: str, runtime_folder: Path) -> None:
        """Take the address of the node's model server, which ends in /v1."""
        self._url = url
        self._runtime_folder = runtime_folder
        self._running: Try | None = None

    def begin(self, connection: Connection) -> None:
        """Begin with the model that the node is to try, unless one is being tried."""
        if self._running is not None:
            return
        for row in connection.execute("SELECT * FROM fleet.open_model_probe()").fetchall():
            self._running = Try(row["probe_id"], row["model"])
            logger.info("Trying a model.", extra={"model": row["model"]})
            arguments = (self._url, Owner(self._runtime_folder))
            threading.Thread(target=self._running.run, args=arguments, daemon=True).start()

    def tell(self, connection: Connection) -> None:
        """Tell how a try ended, if one has."""
        done = self._running
        if done is None or not done.is_over:
            return
        if done.call is not None:
            Store(lambda: connection, uuid.uuid4()).record(done.call, None)
        row = connection.execute(
            "SELECT fleet.finish_model_probe(%s, %s) AS state", [done.probe_id, done.error]
        ).fetchall()[0]
        logger.info(
            "Tried a model.",
            extra={"model": done.model, "state": row["state"], "error": done.error},
        )
        self._running = None
