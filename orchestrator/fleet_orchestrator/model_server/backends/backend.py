"""What the worker asks of a model server of any kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from fleet_orchestrator.errors import OrchestratorError
from fleet_orchestrator.model_server.backends.ask import AskError, count, entries, field

if TYPE_CHECKING:
    from fleet_orchestrator.model_server.backends.ask import Ask


class CannotUnloadError(OrchestratorError):
    """This server keeps its model in memory; the message says what would change that."""


class LoadingError(OrchestratorError):
    """The server lives, and is still loading its model."""


@dataclass(frozen=True)
class ModelStatus:
    """A model of a server. None is what the server does not tell."""

    name: str
    is_loaded: bool | None = None
    slots: int | None = None
    context_tokens: int | None = None
    #: share of it that is in GPU memory; the rest is in the machine's own, and is computed there
    gpu_ratio: float | None = None


@dataclass(frozen=True)
class Backend:
    """
    A server of which no more is known than that it speaks as OpenAI's do.

    The kinds below it know more. Each method asks once and raises AskError when the server fails.
    """

    ask: Ask
    kind: ClassVar[str] = "openai"
    #: whether a call brings an unloaded model back
    loads_itself: ClassVar[bool] = True

    def check_alive(self) -> None:
        """Raise AskError when nobody answers, LoadingError while the model is being loaded."""
        self._list()

    def read_models(self) -> tuple[ModelStatus, ...]:
        """Return the models that the server offers."""
        return tuple(
            ModelStatus(str(entry["id"]), context_tokens=count(field(entry, "max_model_len")))
            for entry in entries(self._list(), "data")
            if "id" in entry
        )

    def _list(self) -> Any:
        """Return the answer that lists the models; None of a server that has no such route."""
        try:
            return self.ask("GET", "/v1/models", None)
        except AskError as exc:
            if exc.is_missing_route:
                return None
            raise

    def find_model(self, name: str) -> ModelStatus | None:
        """Return one of the models; None when the server does not offer it."""
        return next((model for model in self.read_models() if model.name == name), None)

    def unload(self, name: str) -> None:
        """Take a model out of memory. Raises CannotUnloadError."""
        raise CannotUnloadError(
            f"nothing is known of this server that would unload {name}; "
            "Ollama, LM Studio, vLLM in its sleep mode and llama.cpp's router can"
        )

    def is_unloaded(self, name: str) -> bool:
        """Tell whether the model is out of memory, as the server sees it."""
        model = self.find_model(name)
        return model is not None and model.is_loaded is False

    def load(self, name: str) -> None:
        """Bring a model back; most servers do that by themselves at the next call."""

    def ask_route(self, path: str, body: dict[str, Any], advice: str) -> None:
        """POST; raises CannotUnloadError with the advice where the server has no such route."""
        try:
            self.ask("POST", path, body)
        except AskError as exc:
            if exc.is_missing_route:
                raise CannotUnloadError(advice) from exc
            raise
