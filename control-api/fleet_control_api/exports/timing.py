"""
When each turn would have been spoken: derived from its words, since nobody spoke it.

Everything here is a pure function of the text and the conversation's id: the same export twice has
the same bytes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

WORDS_PER_MINUTE = 150  # ordinary English on the phone
PACE = (0.9, 1.1)  # how much slower or faster than that a speaker is
GAP_MILLIS = (200, 900)  # between two turns; below the 3 s from which Contact Lens counts silence
LOUDNESS = (55.0, 80.0)  # of the range 0 to 100
MASK = "[PII]"


@dataclass(frozen=True)
class Turn:
    """One turn as it stands in the database."""

    position: int
    speaker: str
    text: str


@dataclass(frozen=True)
class Span:
    """A piece of time in milliseconds from the start of the call."""

    begin: int
    end: int

    @property
    def duration(self) -> int:
        """Milliseconds."""
        return self.end - self.begin

    def as_offsets(self) -> dict[str, int]:
        """Return the span as Contact Lens writes it."""
        return {"BeginOffsetMillis": self.begin, "EndOffsetMillis": self.end}


@dataclass(frozen=True)
class SpokenTurn:
    """A turn with its derived time, loudness a second, and the times of its masks."""

    turn: Turn
    span: Span
    loudness: tuple[float, ...]
    masks: tuple[Span, ...]


def derive_timing(conversation_id: UUID, turns: Sequence[Turn]) -> list[SpokenTurn]:
    """Return the turns one after the other, each as long as its words take its speaker."""
    dice = random.Random(conversation_id.int)  # noqa: S311 - repeatable on purpose
    pace = {speaker: dice.uniform(*PACE) for speaker in ("agent", "customer")}
    spoken, clock = [], 0
    for turn in turns:
        millis = len(turn.text.split()) * 60_000 / WORDS_PER_MINUTE
        span = Span(clock, clock + round(millis / pace.get(turn.speaker, 1.0)))
        loudness = tuple(round(dice.uniform(*LOUDNESS), 2) for _ in range(count_seconds(span)))
        spoken.append(SpokenTurn(turn, span, loudness, locate_masks(turn.text, span)))
        clock = span.end + dice.randint(*GAP_MILLIS)
    return spoken


def count_seconds(span: Span) -> int:
    """
    Return how many seconds of the clock a span touches: Contact Lens has one loudness for each.
    """
    return span.end // 1000 - span.begin // 1000 + 1


def locate_masks(text: str, span: Span) -> tuple[Span, ...]:
    """Return when each masked value is spoken; a word holds an equal share of the turn."""
    words = text.split()
    share = span.duration / max(1, len(words))
    return tuple(
        Span(span.begin + round(index * share), span.begin + round((index + 1) * share))
        for index, word in enumerate(words)
        for _ in range(word.count(MASK))
    )
