"""
The deterministic checks, in the order in which they are asked.

Shape first, then what a reader would object to.

One check, one function, one reason. Each is pure and returns None or a Finding that quotes the
turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet_orchestrator.quality.scrub import mentions

WORDS_MAX = 60  # spoken turns are short; the generator asks for one or two sentences
RUN = 8  # words in a row taken from the prompt that are no accident


@dataclass(frozen=True)
class Conversation:
    """
    What the checks look at: the turns, the limits of the order, and what the model was told.

    `example_names` come from the worked example of the prompt and belong into no call; `proofs` are
    patterns of what the customer proves their identity with.
    """

    turns: list[dict[str, str]]
    min_turns: int
    max_turns: int
    outline: list[str] = field(default_factory=list)
    instruction: str = ""
    example_names: list[str] = field(default_factory=list)
    proofs: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Finding:
    """Why a conversation is rejected, at which stage, and the words that show it."""

    reason: str
    stage: str
    evidence: str


Check = Callable[[Conversation], Finding | None]

PLACEHOLDER = re.compile(
    r"\[[^\]]{2,40}\]|<[^>]{2,40}>|\{\{?[^}]{1,40}\}\}?"
    r"|\b(?:XXX+|lorem ipsum|your name here)\b",
    re.IGNORECASE,
)
ASSISTANT = re.compile(
    r"\b(?:as an? (?:AI|language model)|AI (?:language )?model|language model|I am an? AI"
    r"|virtual assistant"
    r"|the outline|this transcript|this conversation turn|JSON)\b",
    re.IGNORECASE,
)
OFFERS_HELP = re.compile(
    r"\b(?:how (?:can|may|could) I (?:help|assist)|can I assist|I can (?:assist|help) you"
    r"|(?:anything|something) else I can (?:help|do|assist)|glad I could help|thank you for calling"
    r"|thanks for calling|what can I do for you|(?:I['\u2019]m|I am) here to help)\b",
    re.IGNORECASE,
)
# How an outline line begins that says what is done rather than what is true.
DIRECTIONS = {
    "accepts", "adds", "agrees", "answers", "apologizes", "asks", "confirms", "explains", "has",
    "is", "looks", "offers", "says", "takes", "thanks", "thinks", "understands", "wants",
}  # fmt: skip
ASKS_IDENTITY = re.compile(
    r"\b(?:what is|what['\u2019]s|tell me|give me|have|need|provide (?:me )?with) your "
    r"(?:date of birth|member number|customer number|order number|full name|telephone number)",
    re.IGNORECASE,
)


ASKS_PROOF = re.compile(r"\b(?:birth|birthday|born|number|account|id|name)\b", re.IGNORECASE)
REFUSES = re.compile(
    r"\b(?:can(?:no|['\u2019])t|unable to|not able to) (?:help|assist)(?: you)?"
    r" with (?:that|this)\b",
    re.IGNORECASE,
)


def check_turn_count(conversation: Conversation) -> Finding | None:
    """The order's turn limits hold."""
    count = len(conversation.turns)
    if conversation.min_turns <= count <= conversation.max_turns:
        return None
    limits = f"{conversation.min_turns} to {conversation.max_turns}"
    return Finding("turn_count", "shape", f"{count} turns, {limits} were asked for")


def check_alternation(conversation: Conversation) -> Finding | None:
    """Agent and customer take turns; the agent begins."""
    for index, turn in enumerate(conversation.turns):
        if turn["speaker"] != ("agent", "customer")[index % 2]:
            return _quote("roles_do_not_alternate", index, turn["text"], stage="shape")
    return None


def check_length(conversation: Conversation) -> Finding | None:
    """Each turn has words, and not too many."""
    for index, turn in enumerate(conversation.turns):
        words = len(turn["text"].split())
        if not re.search(r"\w", turn["text"]) or words > WORDS_MAX:
            return _quote("turn_length", index, turn["text"], stage="shape")
    return None


def check_cut_off(conversation: Conversation) -> Finding | None:
    """Each turn is a finished sentence, not cut by the length limit."""
    for index, turn in enumerate(conversation.turns):
        if not re.search(r"[.!?\u2026][\"'\u201d\u2019)]*\s*$", turn["text"]):
            return _quote("cut_off", index, turn["text"], stage="shape")
    return None


def check_placeholder(conversation: Conversation) -> Finding | None:
    """No [insert name here]."""
    return _first_match("placeholder", PLACEHOLDER, conversation.turns)


def check_assistant_talk(conversation: Conversation) -> Finding | None:
    """Nobody speaks as a language model or of the task."""
    return _first_match("assistant_talk", ASSISTANT, conversation.turns)


def check_refusal(conversation: Conversation) -> Finding | None:
    """The agent does not turn the customer away, as a model does that refuses its task."""
    return _first_match("refusal", REFUSES, conversation.turns)


def check_leaked_prompt(conversation: Conversation) -> Finding | None:
    """No turn speaks a stage direction, the instruction, or a name of the worked example."""
    told = _runs(conversation.instruction)
    for index, turn in enumerate(conversation.turns):
        line = _words(conversation.outline[index]) if index < len(conversation.outline) else []
        spoken = _words(turn["text"])
        directed = line[:1] and line[0] in DIRECTIONS and spoken[:2] == line[:2]
        text = f" {' '.join(spoken)} "
        borrowed = any(f" {' '.join(_words(name))} " in text for name in conversation.example_names)
        if directed or borrowed or told & _runs(turn["text"]):
            return _quote("leaked_prompt", index, turn["text"])
    return None


def check_roles(conversation: Conversation) -> Finding | None:
    """The customer neither offers help nor asks for the other's data."""
    for index, turn in enumerate(conversation.turns):
        talks_as_agent = OFFERS_HELP.search(turn["text"]) or ASKS_IDENTITY.search(turn["text"])
        if turn["speaker"] == "customer" and talks_as_agent:
            return _quote("roles_confused", index, turn["text"])
    return None


def check_disclosure(conversation: Conversation) -> Finding | None:
    """The agent does not say what only the customer can know before the customer has said it."""
    for index, turn in enumerate(conversation.turns):
        if mentions(turn["text"], conversation.proofs):
            is_agent = turn["speaker"] == "agent"
            return _quote("identity_disclosed", index, turn["text"]) if is_agent else None
    return None


def check_identity(conversation: Conversation) -> Finding | None:
    """The customer proves who they are, and does so because the agent has asked."""
    if not conversation.proofs:
        return None
    for index, turn in enumerate(conversation.turns):
        if mentions(turn["text"], conversation.proofs):
            asked = index > 0 and ASKS_PROOF.search(conversation.turns[index - 1]["text"])
            return None if asked else _quote("identity_not_asked", index, turn["text"])
    return Finding("identity_not_asked", "checks", "nobody says the proof of identity")


def check_repetition(conversation: Conversation) -> Finding | None:
    """No sentence of four words or more is said twice."""
    seen: set[str] = set()
    for index, turn in enumerate(conversation.turns):
        for sentence in re.split(r"(?<=[.!?])\s+", turn["text"]):
            words = _words(sentence)
            key = " ".join(words)
            if len(words) >= 4 and key in seen:
                return _quote("repetition", index, turn["text"])
            seen.add(key)
    return None


CHECKS: tuple[Check, ...] = (
    check_turn_count,
    check_alternation,
    check_length,
    check_cut_off,
    check_placeholder,
    check_assistant_talk,
    check_refusal,
    check_leaked_prompt,
    check_roles,
    check_disclosure,
    check_identity,
    check_repetition,
)


def _quote(reason: str, index: int, text: str, *, stage: str = "checks") -> Finding:
    return Finding(reason, stage, f"turn {index + 1}: {text}")


def _first_match(
    reason: str, pattern: re.Pattern[str], turns: list[dict[str, str]]
) -> Finding | None:
    for index, turn in enumerate(turns):
        if pattern.search(turn["text"]):
            return _quote(reason, index, turn["text"])
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.casefold())


def _runs(text: str) -> set[tuple[str, ...]]:
    words = _words(text)
    return {tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)}
