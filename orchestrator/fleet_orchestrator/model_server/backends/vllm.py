"""vLLM: always in memory, but for its sleep mode (docs.vllm.ai/en/latest/features/sleep_mode)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from fleet_orchestrator.model_server.backends.ask import AskError, field
from fleet_orchestrator.model_server.backends.backend import Backend, ModelStatus

ADVICE = "start vLLM with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1"


@dataclass(frozen=True)
class Vllm(Backend):
    """Batches as many calls as its memory holds, and tells no number of slots."""

    kind: ClassVar[str] = "vllm"
    loads_itself: ClassVar[bool] = False

    def check_alive(self) -> None:
        """Ask the route that vLLM has for this."""
        self.ask("GET", "/health", None)

    def read_models(self) -> tuple[ModelStatus, ...]:
        """Return the one model; it is not loaded while the engine sleeps."""
        is_loaded = not self._is_sleeping()
        return tuple(replace(model, is_loaded=is_loaded) for model in super().read_models())

    def unload(self, name: str) -> None:
        """Move the weights to main memory: the card is free, and comes back within a second."""
        self.ask_route("/sleep?level=1", {}, f"{ADVICE}, so that {name} can leave the card")

    def load(self, name: str) -> None:
        """Wake the engine: it does not do that by itself."""
        del name
        if self._is_sleeping():
            self.ask("POST", "/wake_up", {})

    def _is_sleeping(self) -> bool:
        try:
            return field(self.ask("GET", "/is_sleeping", None), "is_sleeping") is True
        except AskError as exc:
            if exc.is_missing_route:
                return False
            raise
