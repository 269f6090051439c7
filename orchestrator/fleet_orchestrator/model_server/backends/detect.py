"""
Which kind of model server this is, by what only that kind answers.

Asked anew whenever the server may have become another one: people start LM Studio where Ollama was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_orchestrator.model_server.backends.ask import AskError, entries, field
from fleet_orchestrator.model_server.backends.backend import Backend, LoadingError
from fleet_orchestrator.model_server.backends.llama_cpp import LlamaCpp, Signal
from fleet_orchestrator.model_server.backends.lm_studio import LmStudio
from fleet_orchestrator.model_server.backends.ollama import Ollama
from fleet_orchestrator.model_server.backends.vllm import Vllm

if TYPE_CHECKING:
    from typing import Any

    from fleet_orchestrator.model_server.backends.ask import Ask

UNAVAILABLE = 503


def detect(ask: Ask, signal: Signal = lambda: False) -> Backend:
    """
    Return the server's kind.

    Raises AskError when nobody answers, or only with errors; LoadingError when it is not ready.
    """
    listed = _try(ask, "/v1/models")
    if entries(_try(ask, "/api/tags"), "models") or _has(ask, "/api/ps", "models"):
        return Ollama(ask)
    if _is_lm_studio(_try(ask, "/api/v1/models")):
        return LmStudio(ask)
    owners = {field(entry, "owned_by") for entry in entries(listed, "data")}
    if "vllm" in owners:
        return Vllm(ask)
    if "llamacpp" in owners or _has(ask, "/props", "default_generation_settings"):
        return LlamaCpp(ask, signal)
    if any(field(entry, "status", "value") for entry in entries(_try(ask, "/models"), "data")):
        return LlamaCpp(ask, signal)
    return Backend(ask)


def _try(ask: Ask, path: str) -> Any:
    """Return an answer; None where the server does not know the path."""
    try:
        return ask("GET", path, None)
    except AskError as exc:
        if exc.status == UNAVAILABLE:  # llama.cpp answers so to everything while it loads
            raise LoadingError("the model server is not ready yet") from exc
        if exc.is_missing_route:
            return None
        raise


def _has(ask: Ask, path: str, name: str) -> bool:
    return field(_try(ask, path), name) is not None


def _is_lm_studio(answer: Any) -> bool:
    return any("loaded_instances" in entry for entry in entries(answer, "models"))
