"""
What models get wrong, in the ways in which small ones do. Pure.

One call in ten or so is a hard one: a turn of it goes wrong in most tries, or the model falls back
on a conversation that it knows by heart and has written before.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fleet_twin.faults import BAD_OUTPUT, DUPLICATE_OUTPUT
from fleet_twin.model_server.speech.phrases import read_phrases
from fleet_twin.model_server.speech.speaker import Call, sentences, speak, speak_stock

if TYPE_CHECKING:
    from collections.abc import Iterable

Flaw = Literal["repetition", "refusal", "roles", "cut_off", "placeholder", "assistant_talk"]
FLAWS: dict[str, tuple[Flaw, ...]] = {
    "agent": ("repetition", "refusal", "cut_off", "placeholder", "assistant_talk"),
    "customer": ("repetition", "roles", "roles", "cut_off", "placeholder"),
}
HARD_SHARE = 0.09  # of the calls; in so many of the tries it goes wrong:
HARD_TRIES_SHARE = 0.7
STOCK_SHARE = 0.035  # of the calls
NONSENSE_PARTS = 6


@dataclass(frozen=True)
class Nature:
    """What is the matter with a call: the turn that goes wrong, or that it is known by heart."""

    is_stock: bool = False
    hard_index: int | None = None


def decide_nature(call: Call) -> Nature:
    """Return the nature of a call: the same in each try, since it lies in the prompt."""
    draw = random.Random(repr(call))  # noqa: S311 - repeatable, not secret
    if draw.random() < STOCK_SHARE:
        return Nature(is_stock=True)
    is_hard = draw.random() < HARD_SHARE
    return Nature(hard_index=draw.randrange(len(call.lines)) if is_hard else None)


def write_turn(
    call: Call, index: int, said: list[str], seed: int, faults: Iterable[str] = ()
) -> str:
    """Return the words of a turn, good ones or flawed ones."""
    draw = random.Random(f"{seed} {index}")  # noqa: S311 - as above
    if BAD_OUTPUT in faults:
        return " ".join(draw.choices(read_phrases().nonsense, k=NONSENSE_PARTS))
    nature = decide_nature(call)
    if nature.is_stock or DUPLICATE_OUTPUT in faults:
        return speak_stock(call, index)
    text = speak(call, index, said, draw)
    if nature.hard_index == index and draw.random() < HARD_TRIES_SHARE:
        flaw = draw.choice(FLAWS[call.lines[index].speaker])
        return _spoil(flaw, text, said)
    return text


def _spoil(flaw: Flaw, text: str, said: list[str]) -> str:
    """Return a turn with this flaw in it."""
    if flaw == "refusal":
        return "I'm sorry, but I can't help with that request. Please contact somebody else."
    if flaw == "roles":
        return "How can I help you with that today? I just need a few details from you."
    if flaw == "placeholder":
        return f"{text} You can write to [insert address here]."
    if flaw == "assistant_talk":
        return f"As an AI language model, I have no access to that. {text}"
    if flaw == "cut_off":
        return text[: max(8, len(text) * 2 // 3)].rstrip(".!? ") + " and"
    repeated = next((other for other in reversed(said) if sentences(other)), text)
    return repeated if repeated != text else f"{text} {text}"
