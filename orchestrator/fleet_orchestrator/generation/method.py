"""
What the ways to write a conversation have in common.

A method is pure: it says what to ask the model next and reads turns out of the answer. Calling,
checking, storing and trying again are the same for all of them (`conversation.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from fleet_orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from fleet_orchestrator.generation.prompt import Line
    from fleet_orchestrator.model_server.endpoint import Request


class BadAnswerError(OrchestratorError):
    """The model's answer was not the conversation that was asked for."""


class StartsOverError(OrchestratorError):
    """The server began a new answer where it was given the beginning of one to continue."""


@dataclass(frozen=True)
class Limits:
    """
    How a conversation is generated: the settings in force; times in seconds.

    `turn_tries_max` and `conversation_tries_max` say how often a turn that a check refused is
    written anew; with 0 tries a turn nothing is checked before it is stored.
    """

    temperature: float
    turn_characters_max: int
    request_seconds_max: float
    lease_seconds: float
    turn_tokens_max: int
    turn_tries_max: int
    last_try_temperature_rise: float
    conversation_tries_max: int
    conversation_restarts_max: int
    conversations_at_once_max: int = 1
    generation_method: str = "auto"  # or line_by_line, one_shot
    conversation_tokens_max: int = 4000  # of an answer that holds a whole conversation
    model: str = ""  # empty: the one that the worker was started with


def parse_limits(values: dict[str, Any]) -> Limits:
    """Return what settings say of generation."""
    return Limits(
        temperature=values["temperature"],
        turn_characters_max=int(values["turn_characters_max"]),
        request_seconds_max=values["request_seconds_max"],
        lease_seconds=values["lease_seconds"],
        turn_tokens_max=int(values["turn_tokens_max"]),
        turn_tries_max=int(values["turn_tries_max"]),
        last_try_temperature_rise=values["last_try_temperature_rise"],
        conversation_tries_max=int(values["conversation_tries_max"]),
        conversation_restarts_max=int(values["conversation_restarts_max"]),
        conversations_at_once_max=int(values["conversations_at_once_max"]),
        generation_method=values["generation_method"],
        conversation_tokens_max=int(values["conversation_tokens_max"]),
        model=values["llm_model"],
    )


@dataclass
class Draft:
    """A conversation while it is written: what the model is told, and the turns so far."""

    definition: dict[str, Any]
    template: str
    persona: dict[str, Any]
    outline: list[Line]
    turns: list[dict[str, str]]

    @property
    def missing(self) -> list[Line]:
        """The lines of the outline that have no turn yet."""
        return self.outline[len(self.turns) :]


class Reader(Protocol):
    """Reads one answer while it comes."""

    @property
    def is_done(self) -> bool:
        """True once nothing more is wanted, whatever the model would go on to say."""

    def feed(self, piece: str) -> list[str]:
        """
        Return the words of the turns that this piece completed, in order.

        Raises BadAnswerError, StartsOverError.
        """

    def end(self) -> list[str]:
        """Return what the end of the answer completes. Raises BadAnswerError, StartsOverError."""


class Method(Protocol):
    """A way to write what is missing of a draft."""

    def render_request(
        self, draft: Draft, limits: Limits, *, seed: int, temperature: float
    ) -> Request:
        """Return the next call."""

    def make_reader(self, draft: Draft) -> Reader:
        """Return the reader of that call's answer."""
