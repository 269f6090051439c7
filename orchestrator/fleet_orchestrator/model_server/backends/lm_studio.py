"""LM Studio's REST API (lmstudio.ai/docs): version 1 tells instances and their slots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from fleet_orchestrator.model_server.backends.ask import AskError, count, entries, field
from fleet_orchestrator.model_server.backends.backend import (
    Backend,
    CannotUnloadError,
    ModelStatus,
)


@dataclass(frozen=True)
class LmStudio(Backend):
    """Loads a model at a call (JIT), and unloads instances by their ids."""

    kind: ClassVar[str] = "lm_studio"

    def read_models(self) -> tuple[ModelStatus, ...]:
        """Return the models on disk, with slots and context of those in memory."""
        return tuple(_parse(entry) for entry in entries(self._read(), "models"))

    def unload(self, name: str) -> None:
        """Unload all instances of a model."""
        for entry in entries(self._read(), "models"):
            if field(entry, "key") == name:
                for instance in entries(entry, "loaded_instances"):
                    body = {"instance_id": str(field(instance, "id"))}
                    self.ask_route(
                        "/api/v1/models/unload", body, "update LM Studio to 0.4 or newer"
                    )

    def _read(self) -> Any:
        try:
            return self.ask("GET", "/api/v1/models", None)
        except AskError as exc:
            if exc.is_missing_route:
                raise CannotUnloadError("update LM Studio to 0.4 or newer") from exc
            raise


def _parse(entry: dict[str, Any]) -> ModelStatus:
    """Return what is told of a model; two instances have the slots of both."""
    instances = entries(entry, "loaded_instances")
    slots = sum(count(field(each, "config", "parallel")) or 1 for each in instances)
    context = count(field(instances, 0, "config", "context_length"))
    return ModelStatus(str(field(entry, "key")), bool(instances), slots or None, context)
