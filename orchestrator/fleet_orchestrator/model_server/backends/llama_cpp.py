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
        props = self._read_props()
        slots = count(field(props, "total_slots"))
        context = count(field(props, "default_generation_settings", "n_ctx"))
        is_loaded = field(props, "is_sleeping") is not True
        return tuple(
            replace(model, is_loaded=is_loaded, slots=slots, context_tokens=context)
            for model in super().read_models()
        )

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

    def _read_props(self) -> Any:
        try:
            return self.ask("GET", "/props", None)
        except AskError as exc:
            if exc.is_missing_route:  # started without --props
                return None
            raise


def _parse(entry: dict[str, Any]) -> ModelStatus:
    value = field(entry, "status", "value")
    return ModelStatus(str(field(entry, "id")), is_loaded=value not in {UNLOADED, "sleeping"})
