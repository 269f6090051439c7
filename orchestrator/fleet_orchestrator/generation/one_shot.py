"""
Ask for all turns at once.

One call; a JSON schema makes the model write speaker and outline line of each turn before its
words. Works with every server, and pays for words that nobody speaks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_orchestrator.generation.method import BadAnswerError
from fleet_orchestrator.generation.prompt import render_messages, render_rest, render_schema
from fleet_orchestrator.generation.turn_stream import TurnStream
from fleet_orchestrator.model_server.endpoint import Request

if TYPE_CHECKING:
    from fleet_orchestrator.generation.method import Draft, Limits, Reader
    from fleet_orchestrator.generation.prompt import Line


@dataclass
class TurnsReader:
    """Takes the turns of the lines asked for out of a JSON answer."""

    wanted: list[Line]
    is_done: bool = False  # the server tells what it counted at the very end
    _stream: TurnStream = field(default_factory=TurnStream)
    _count: int = 0

    def feed(self, piece: str) -> list[str]:
        """Return the words of completed turns. Raises BadAnswerError for a turn not asked for."""
        return [self._take(turn) for turn in self._stream.feed(piece)]

    def end(self) -> list[str]:
        """Raise BadAnswerError when turns are missing."""
        if self._count < len(self.wanted):
            raise BadAnswerError(
                f"the answer ended after {self._count} of {len(self.wanted)} turns"
            )
        return []

    def _take(self, turn: dict[str, str]) -> str:
        if self._count == len(self.wanted) or not _is_turn_of(turn, self.wanted[self._count]):
            # Without its words: the message is shown to readers of analytics.
            raise BadAnswerError(f"turn {self._count + 1} of the answer is no turn asked for")
        self._count += 1
        return turn["text"]


class OneShot:
    """One call for all that is missing."""

    def render_request(
        self, draft: Draft, limits: Limits, *, seed: int, temperature: float
    ) -> Request:
        """Return the call for all missing turns; those that are stored stand in the prompt."""
        messages = render_messages(draft.template, draft.definition, draft.persona, draft.outline)
        messages[-1]["content"] += render_rest(draft.turns)
        return Request(
            messages=messages,
            schema=render_schema(draft.missing, limits.turn_characters_max),
            seed=seed,
            temperature=temperature,
            seconds_max=limits.request_seconds_max,
            tokens_max=limits.conversation_tokens_max,
        )

    def make_reader(self, draft: Draft) -> Reader:
        """Return the reader of a JSON answer."""
        return TurnsReader(draft.missing)


def _is_turn_of(turn: dict[str, str], line: Line) -> bool:
    text = turn.get("text")
    return turn.get("speaker") == line.speaker and isinstance(text, str) and bool(text.strip())
