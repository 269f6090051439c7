"""Ollama (docs/api.md): /api/tags are the models on disk, /api/ps those in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fleet_orchestrator.model_server.backends.ask import count, entries, field
from fleet_orchestrator.model_server.backends.backend import Backend, ModelStatus


@dataclass(frozen=True)
class Ollama(Backend):
    """Loads a model at a call, and unloads it when told to keep it alive for no time."""

    kind: ClassVar[str] = "ollama"

    def check_alive(self) -> None:
        """Ask for the version: no model is loaded for it."""
        self.ask("GET", "/api/version", None)

    def read_models(self) -> tuple[ModelStatus, ...]:
        """Return the models on disk; how many slots there are (OLLAMA_NUM_PARALLEL) is not told."""
        loaded = {
            str(field(entry, "name")): entry
            for entry in entries(self.ask("GET", "/api/ps", None), "models")
        }
        names = [
            str(field(entry, "name"))
            for entry in entries(self.ask("GET", "/api/tags", None), "models")
        ]
        return tuple(
            ModelStatus(
                name,
                is_loaded=name in loaded,
                context_tokens=count(field(loaded.get(name), "context_length")),
                gpu_ratio=find_gpu_ratio(loaded.get(name)),
            )
            for name in dict.fromkeys([*names, *loaded])
        )

    def find_model(self, name: str) -> ModelStatus | None:
        """Return one of the models; a name without a tag is that of the tag `latest`."""
        tagged = name if ":" in name else f"{name}:latest"
        return next((model for model in self.read_models() if model.name == tagged), None)

    def unload(self, name: str) -> None:
        """Unload after no time; a call that runs is finished first."""
        self.ask("POST", "/api/generate", {"model": name, "keep_alive": 0})


def find_gpu_ratio(entry: object) -> float | None:
    """Return the share of a loaded model in GPU memory, `size_vram` of `size`; None if untold."""
    size, in_gpu = count(field(entry, "size")), field(entry, "size_vram")
    if size is None or not (in_gpu == 0 or count(in_gpu)):
        return None
    return min(float(in_gpu) / size, 1.0)
