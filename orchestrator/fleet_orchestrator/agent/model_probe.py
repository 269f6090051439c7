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
from typing import TYPE_CHECKING

from fleet_orchestrator.owner import Owner
from fleet_orchestrator.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_timescale.connection import Connection

    from fleet_orchestrator.agent.model_try import Try

logger = logging.getLogger(__name__)


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
            from fleet_orchestrator.agent.model_try import Try  # noqa: PLC0415 - see there

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
