"""Who knows what: a fact is used after it was said, and asked for until it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet_orchestrator.quality.call import quote
from fleet_orchestrator.quality.scrub import mentions, render_value_patterns
from fleet_orchestrator.quality.words import find_stems, is_question, speaks_of, split_sentences

if TYPE_CHECKING:
    from fleet_orchestrator.quality.call import Conversation, Finding

KNOWN_SHARE = 0.75  # of the words of a fact: who says so much of it knows it
BORROWED_SHARE = 0.6  # of those that are not in the outline as well
STEMS_MIN = 2  # a fact of one word may be guessed
ASKED = {
    "date_of_birth": re.compile(r"\b(?:birth|birthday|born)\b", re.IGNORECASE),
    "reference_number": re.compile(
        r"\b(?:member|customer|order|claim|reference|account) (?:number|id)\b", re.IGNORECASE
    ),
    "phone_number": re.compile(r"\b(?:tele)?phone number\b", re.IGNORECASE),
}
THIS_MATTER = re.compile(
    r"\b(?:this|that) (?:\w+ )?(?:bill|claim|order|prescription|refill|results?|test|appointment"
    r"|contract|denial|complaint|problem)\b",
    re.IGNORECASE,
)
CHECKS_BACK = re.compile(
    r"\b(?:again|repeat|confirm|verify|spell|correct|right|once more|sure|double|catch|reach"
    r"|other|new|different)\b",
    re.IGNORECASE,
)


def check_known(conversation: Conversation, index: int) -> Finding | None:
    """Nobody uses a fact that is the other's to tell before the other has told it."""
    speaker = conversation.turns[index]["speaker"]
    text = conversation.turns[index]["text"]
    if not index and THIS_MATTER.search(text):
        return quote("known_too_early", conversation, index)
    before = {stem for turn in conversation.turns[:index] for stem in find_stems(turn["text"])}
    for name, fact in conversation.values.items():
        if name in ASKED or name.endswith("_name") or name in ("company", "mood", "manner"):
            continue
        teller = _find_teller(conversation, fact)
        if teller in (None, speaker) or len(find_stems(fact) - before) < STEMS_MIN:
            continue
        if speaks_of(text, fact, share=KNOWN_SHARE):
            return quote("known_too_early", conversation, index)
    return None


def check_borrowed(conversation: Conversation, index: int) -> Finding | None:
    """Nobody tells a fact of the worked example, which is about somebody else."""
    text = conversation.turns[index]["text"]
    own = find_stems(" ".join(conversation.outline))
    for fact in conversation.example_facts:
        stems = find_stems(fact) - own
        said = stems & find_stems(text)
        has_figures = all(stem in said for stem in stems if stem[0].isdigit())
        if len(stems) >= STEMS_MIN and has_figures and len(said) >= BORROWED_SHARE * len(stems):
            return quote("borrowed_fact", conversation, index)
    return None


def check_asked_again(conversation: Conversation, index: int) -> Finding | None:
    """The agent asks for nothing that the customer has said already, but to be sure of it."""
    if not conversation.is_by("agent", index):
        return None
    told = conversation.said_by("customer", index)
    for sentence in split_sentences(conversation.turns[index]["text"]):
        if not is_question(sentence) or CHECKS_BACK.search(sentence):
            continue
        for name, pattern in ASKED.items():
            value = conversation.values.get(name)
            if (
                value
                and pattern.search(sentence)
                and mentions(told, render_value_patterns(name, value))
            ):
                return quote("asked_again", conversation, index)
    return None


def _find_teller(conversation: Conversation, fact: str) -> str | None:
    """Return the side whose line of the outline has the fact first."""
    for number, line in enumerate(conversation.outline):
        if fact in line:
            return ("agent", "customer")[number % 2]
    return None
