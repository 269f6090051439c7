"""
One try of a model: whether the server offers it and writes a sentence with it.

Loaded for the first try: the agent needs the client of model servers, 25 MB, for nothing else.
"""

from __future__ import annotations

import logging
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_orchestrator.blame import decide_failure
from fleet_orchestrator.errors import OrchestratorError
from fleet_orchestrator.model_server import canary
from fleet_orchestrator.model_server.backends.ask import make_ask
from fleet_orchestrator.model_server.backends.detect import detect
from fleet_orchestrator.model_server.endpoint import Call, EndpointError, connect

if TYPE_CHECKING:
    import uuid

    from fleet_orchestrator.model_server.backends.backend import Backend
    from fleet_orchestrator.owner import Owner

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
