"""What checks look at and what they say: a conversation with all that the model was told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PROOFS = ("date_of_birth", "reference_number", "phone_number")  # of who the customer is


@dataclass(frozen=True)
class Conversation:
    """
    What the checks look at: the turns, the limits of the order, and what the model was told.

    `example_names` and `example_facts` (those that its agent tells) come from the worked example of
    the prompt and belong into no call; `proofs` are patterns of what the customer proves their
    identity with. `values` are persona and facts by name, `phases` the phase of each exchange of
    the outline ("" for an added one), `required` those that the scenario requires, `healthcare` the
    part of the scenario of that name, empty where the call is not about health care.
    """

    turns: list[dict[str, str]]
    min_turns: int
    max_turns: int
    outline: list[str] = field(default_factory=list)
    instruction: str = ""
    example_names: list[str] = field(default_factory=list)
    example_facts: list[str] = field(default_factory=list)
    proofs: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)
    phases: list[str] = field(default_factory=list)
    required: list[str] = field(default_factory=list)
    healthcare: dict[str, Any] = field(default_factory=dict)

    def said(self, newest: int) -> str:
        """Return what both sides have said up to and with the turn at an index."""
        return " ".join(turn["text"] for turn in self.turns[: newest + 1])

    def text_before(self, index: int) -> str:
        """Return the turn before the one at an index; empty before the first."""
        return self.turns[index - 1]["text"] if index else ""

    def said_by(self, speaker: str, newest: int) -> str:
        """Return what one side has said up to and with the turn at an index."""
        turns = self.turns[: newest + 1]
        return " ".join(turn["text"] for turn in turns if turn["speaker"] == speaker)

    def is_by(self, speaker: str, index: int) -> bool:
        """True when the turn at an index is that side's."""
        return self.turns[index]["speaker"] == speaker


@dataclass(frozen=True)
class Finding:
    """Why a conversation is rejected, at which stage, and the words that show it."""

    reason: str
    stage: str
    evidence: str


Check = Callable[[Conversation], Finding | None]
TurnCheck = Callable[[Conversation, int], Finding | None]  # of the turn at an index, from 0


def quote(reason: str, conversation: Conversation, index: int, *, stage: str = "checks") -> Finding:
    """Return the finding that shows the turn at an index."""
    return Finding(reason, stage, f"turn {index + 1}: {conversation.turns[index]['text']}")


def of_every_turn(check: TurnCheck) -> Check:
    """Return the check of a whole conversation that gives the first finding of its turns."""

    def check_turns(conversation: Conversation) -> Finding | None:
        findings = (check(conversation, index) for index in range(len(conversation.turns)))
        return next((finding for finding in findings if finding), None)

    return check_turns
