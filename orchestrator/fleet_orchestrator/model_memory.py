"""
Keep the model out of the machine's memory while its owner plays, and bring it back afterwards.

Only a server on this machine is told to: that of another one takes no memory here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_orchestrator.model_server.backends.ask import AskError
from fleet_orchestrator.model_server.backends.backend import CannotUnloadError

if TYPE_CHECKING:
    from fleet_orchestrator.model_server.watch import ServerWatch

logger = logging.getLogger(__name__)
CALLS_END_SECONDS = 2.0  # a call that was cut ends within one
LOAD_SECONDS = 120.0  # a large model from a slow disk; after it calls are made and show how it is
#: Called with severity, kind and message of an event.
Tell = Callable[[str, str, str], None]


@dataclass
class ModelMemory:
    """What is done with the model's memory; `is_out` while no call may be made for that reason."""

    watch: ServerWatch
    tell: Tell
    clock: Callable[[], float] = time.monotonic
    #: at first, since a worker that was killed during a game left the model unloaded
    is_out: bool = True
    _played_since: float | None = field(default=None, init=False)
    _model: str | None = field(default=None, init=False)
    #: what may be in memory for us: a model that was in use before may be there yet
    _ours: set[str] = field(default_factory=set, init=False)
    _asked_back_at: float | None = field(default=None, init=False)

    def follow(self, model: str, *, is_gaming: bool, has_calls: bool) -> None:
        """Free the memory once a game has begun and calls have ended; undo it after the game."""
        if not is_gaming or model != self._model:  # once a game: what its owner loads is not ours
            self._ours.add(model)
        self._model = model
        if is_gaming:
            self.is_out, self._asked_back_at = True, None
            self._free(has_calls=has_calls)
        else:
            self._played_since = None
            if self.is_out:
                self._bring_back(model)

    def _free(self, *, has_calls: bool) -> None:
        now = self.clock()
        self._played_since = now if self._played_since is None else self._played_since
        if has_calls and now - self._played_since < CALLS_END_SECONDS:
            return
        while self._ours:
            self._free_one(self._ours.pop())

    def _free_one(self, model: str) -> None:
        try:
            seconds = self.watch.free_memory(model)
        except (CannotUnloadError, AskError) as exc:
            logger.warning("The model stays in memory.", extra={"error": str(exc)})
            self.tell("warning", "model_not_unloaded", f"A game runs, and {model} stays: {exc}.")
            return
        if seconds is not None:
            message = f"{model} was unloaded in {seconds:.1f} s, since a game runs."
            self.tell("info", "model_unloaded", message)

    def _bring_back(self, model: str) -> None:
        now = self.clock()
        if self._asked_back_at is None:
            self._asked_back_at = now
            if not self._ask_back(model):
                self.is_out, self._asked_back_at = False, None
        elif self.watch.is_back(model):
            seconds = now - self._asked_back_at
            self.is_out, self._asked_back_at = False, None
            self.tell("info", "model_loaded", f"{model} is there again after {seconds:.1f} s.")
        elif now - self._asked_back_at > LOAD_SECONDS:
            self.is_out, self._asked_back_at = False, None

    def _ask_back(self, model: str) -> bool:
        try:
            return self.watch.ask_back(model)
        except (CannotUnloadError, AskError) as exc:  # calls will show how it is
            logger.info("The model server does not tell of its model.", extra={"error": str(exc)})
            return False
