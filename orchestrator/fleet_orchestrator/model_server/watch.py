"""
How the worker's model server is between calls: its kind, whether it is well, its slots; its memory.

Three levels tell whether it is well: it answers (each few seconds), it has the model (each half
minute), and calls succeed, canary calls included (`circuit`). A server that answers while its calls
fail is wedged: its health lies.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fleet_orchestrator.model_server.backends.ask import AskError, make_ask
from fleet_orchestrator.model_server.backends.backend import (
    Backend,
    CannotUnloadError,
    LoadingError,
    ModelStatus,
)
from fleet_orchestrator.model_server.backends.detect import detect
from fleet_orchestrator.model_server.backends.own_server import signal_own_server

if TYPE_CHECKING:
    from collections.abc import Callable

Alive = Literal["answers", "loading", "silent"]
State = Literal["ready", "loading", "unloaded", "no_model", "wedged", "unreachable"]
STATES: tuple[State, ...] = ("ready", "loading", "unloaded", "no_model", "wedged", "unreachable")
MODELS_SECONDS = 30.0  # between two looks at the models
FREE_SECONDS = 8.0  # the owner waits no longer than ten for the memory
STEP_SECONDS = 0.1


@dataclass(frozen=True)
class Report:
    """A model server as it was at the last look. None is what it does not tell."""

    kind: str
    state: State
    slots: int | None = None
    context_tokens: int | None = None
    models: tuple[str, ...] = ()
    gpu_ratio: float | None = None


def decide_state(
    alive: Alive, model: ModelStatus | None, *, has_models: bool, is_circuit_open: bool
) -> State:
    """Return the state; a server that lists no models at all is not blamed for lacking ours."""
    if alive == "silent":
        return "unreachable"
    if alive == "loading":
        return "loading"
    if model is None and has_models:
        return "no_model"
    if model is not None and model.is_loaded is False:
        return "unloaded"
    return "wedged" if is_circuit_open else "ready"


class ServerWatch:
    """Remembers the server's kind until it falls silent: another one may answer next."""

    def __init__(
        self,
        make_backend: Callable[[], Backend],
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._make_backend = make_backend
        self._clock = clock
        self._pause = pause
        self._backend: Backend | None = None
        self._models: tuple[ModelStatus, ...] = ()
        self._model: ModelStatus | None = None
        self._models_at = float("-inf")

    def look(self, name: str, *, is_circuit_open: bool) -> Report:
        """Ask the server how it is, and how its model of this name is; never raises for it."""
        alive = self._check(name)
        state = decide_state(
            alive, self._model, has_models=bool(self._models), is_circuit_open=is_circuit_open
        )
        if state != "ready":
            self._models_at = float("-inf")
        return Report(
            self._backend.kind if self._backend else "unknown",
            state,
            self._model.slots if self._model else None,
            self._model.context_tokens if self._model else None,
            tuple(model.name for model in self._models),
            self._model.gpu_ratio if self._model else None,
        )

    def _check(self, name: str) -> Alive:
        try:
            is_due = self._clock() >= self._models_at + MODELS_SECONDS
            if is_due and self._backend is not None and self._backend.kind == Backend.kind:
                self._backend = None  # it may have been no more than a part of it that answered
            backend = self._find_backend()
            backend.check_alive()
            if is_due:
                self._models = backend.read_models()
                self._model = backend.find_model(name)
                self._models_at = self._clock()
        except LoadingError:
            return "loading"
        except (AskError, CannotUnloadError) as exc:
            if isinstance(exc, AskError) and exc.status is None:
                self._backend, self._models, self._model = None, (), None
                self._models_at = float("-inf")
                return "silent"
        return "answers"

    def _find_backend(self) -> Backend:
        if self._backend is None:
            self._backend = self._make_backend()
        return self._backend

    def free_memory(self, name: str) -> float | None:
        """
        Unload the model and wait until the server says that it is gone; return the seconds.

        None when it was not in memory. Raises CannotUnloadError, also when it stays; AskError.
        """
        backend = self._find_backend()
        if backend.is_unloaded(name):
            return None
        began, self._models_at = self._clock(), float("-inf")
        backend.unload(name)
        while self._clock() - began < FREE_SECONDS:
            if self._is_unloaded(backend, name):
                return self._clock() - began
            self._pause(STEP_SECONDS)
        raise CannotUnloadError(f"{name} is still in memory after {FREE_SECONDS:g} s")

    def ask_back(self, name: str) -> bool:
        """
        Have the model loaded again where its server does not do that by itself.

        Return whether it is to be waited for. Raises AskError, CannotUnloadError.
        """
        try:
            backend = self._find_backend()
            if backend.loads_itself or not backend.is_unloaded(name):
                return False
        except LoadingError:
            return True  # it is on its way
        backend.load(name)
        return True

    def is_back(self, name: str) -> bool:
        """Tell whether the server takes calls again after its model was asked back."""
        try:
            backend = self._find_backend()
            backend.check_alive()
            return not backend.is_unloaded(name)
        except (AskError, LoadingError):
            return False

    def _is_unloaded(self, backend: Backend, name: str) -> bool:
        try:
            return backend.is_unloaded(name)
        except AskError:  # our own server answers nothing while it changes
            return False


def watch_server(url: str) -> ServerWatch:
    """Return the watch over the server whose OpenAI routes begin at the URL."""
    ask = make_ask(url)
    return ServerWatch(lambda: detect(ask, lambda: signal_own_server(url)))
