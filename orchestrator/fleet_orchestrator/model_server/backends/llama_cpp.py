"""
llama.cpp's server (tools/server/README.md), alone or as a router over several models.

Alone it keeps its model in memory as long as it runs. Our own does too; but it is ours, and ends
with its model when it gets SIGUSR1 (`fleet_stack.servers.llm`): then it answers 503, and loads the
model again at POST /models/load.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import quote

from fleet_orchestrator.model_server.backends.ask import AskError, count, entries, field
from fleet_orchestrator.model_server.backends.backend import (
    Backend,
    CannotUnloadError,
    LoadingError,
    ModelStatus,
)

UNLOADED = "unloaded"  # what a router, and our own server, say of such a model
ADVICE = (
    "llama-server alone keeps its model in memory; start it as a router (--models-dir FOLDER, "
    "without --model), or use the model server that `./fleet up` brings"
)
#: Tells our own server to let go of its model; False where the server is not ours.
Signal = Callable[[], bool]


@dataclass(frozen=True)
class LlamaCpp(Backend):
    """Tells its slots by /props, and whether it is loading by /health."""

    signal: Signal = lambda: False
    kind: ClassVar[str] = "llama_cpp"
    loads_itself: ClassVar[bool] = False

    def check_alive(self) -> None:
        """Ask the route that llama.cpp has for this; 503 means that the model is not there yet."""
        try:
            self.ask("GET", "/health", None)
        except AskError as exc:
            if exc.status == 503:
                raise LoadingError("the model server is loading its model") from exc
            raise

    def read_models(self) -> tuple[ModelStatus, ...]:
        """Return the models; a router says of each whether it is in memory."""
        routed = [entry for entry in self._read_routed() if "id" in entry]
        if routed:
            return tuple(_parse(entry) for entry in routed)
        return tuple(
            self._add_props(replace(model, is_loaded=True), "/props")
            for model in super().read_models()
        )

    def find_model(self, name: str) -> ModelStatus | None:
        """Return one of the models; of a router's, slots and context are asked for as well."""
        model = super().find_model(name)
        if model is None or not model.is_loaded or model.slots:
            return model
        return self._add_props(model, f"/props?model={quote(name)}")

    def unload(self, name: str) -> None:
        """Unload by the router's route, or by the signal that our own server understands."""
        if self._read_routed():
            self.ask_route("/models/unload", {"model": name}, ADVICE)
        elif not self.signal():
            raise CannotUnloadError(ADVICE)

    def load(self, name: str) -> None:
        """Bring the model back where a router, or our own server, has unloaded it."""
        if any(_parse(entry).is_loaded is False for entry in self._read_routed()):
            self.ask("POST", "/models/load", {"model": name})

    def _read_routed(self) -> list[dict[str, Any]]:
        """Return the models of a router; none of a server alone, which knows no `status`."""
        try:
            listed = entries(self.ask("GET", "/models", None), "data")
        except AskError as exc:
            if exc.is_missing_route or exc.status == 503:  # 503: it is loading
                return []
            raise
        return [entry for entry in listed if field(entry, "status", "value") is not None]

    def _add_props(self, model: ModelStatus, path: str) -> ModelStatus:
        """Return the model with what its page of properties tells; some servers have none."""
        try:
            props = self.ask("GET", path, None)
        except AskError as exc:
            if exc.is_missing_route:
                return model
            raise
        return replace(
            model,
            is_loaded=False if field(props, "is_sleeping") is True else model.is_loaded,
            slots=count(field(props, "total_slots")),
            context_tokens=count(field(props, "default_generation_settings", "n_ctx")),
        )


def _parse(entry: dict[str, Any]) -> ModelStatus:
    value = field(entry, "status", "value")
    return ModelStatus(str(field(entry, "id")), is_loaded=value not in {UNLOADED, "sleeping"})
