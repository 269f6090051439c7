"""
The mechanical checks: shape, and what a model says that fell out of its part.

One check, one function, one reason. Each is pure and returns None or a Finding that quotes the
turn. Most look at one turn and what came before it: generation asks them of each turn before it is
stored, quality asks them of all turns.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet_orchestrator.quality.call import Conversation, Finding, quote
from fleet_orchestrator.quality.scrub import mentions

if TYPE_CHECKING:
    from fleet_orchestrator.quality.call import TurnCheck

WORDS_MAX = 60  # spoken turns are short; the generator asks for one or two sentences
REPEATED_WORDS = 4  # shorter sentences may well be said twice
RUN = 8  # words in a row taken from the prompt that are no accident

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
    r"|thanks for calling|what can I do for you|(?:I['\u2019]m|I am) (?:here|happy) to help"
    r"|do my best to help)\b",
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
    r" with (?:that|this|it)\b",
    re.IGNORECASE,
)


def check_turn_count(conversation: Conversation) -> Finding | None:
    """The order's turn limits hold."""
    count = len(conversation.turns)
    if conversation.min_turns <= count <= conversation.max_turns:
        return None
    limits = f"{conversation.min_turns} to {conversation.max_turns}"
    return Finding("turn_count", "shape", f"{count} turns, {limits} were asked for")


def check_alternation(conversation: Conversation, index: int) -> Finding | None:
    """Agent and customer take turns; the agent begins."""
    if conversation.turns[index]["speaker"] == ("agent", "customer")[index % 2]:
        return None
    return quote("roles_do_not_alternate", conversation, index, stage="shape")


def check_length(conversation: Conversation, index: int) -> Finding | None:
    """A turn has words, and not too many."""
    text = conversation.turns[index]["text"]
    if re.search(r"\w", text) and len(text.split()) <= WORDS_MAX:
        return None
    return quote("turn_length", conversation, index, stage="shape")


def check_cut_off(conversation: Conversation, index: int) -> Finding | None:
    """A turn is a finished sentence, not cut by the length limit."""
    if re.search(r"[.!?\u2026][\"'\u201d\u2019)]*\s*$", conversation.turns[index]["text"]):
        return None
    return quote("cut_off", conversation, index, stage="shape")


def check_placeholder(conversation: Conversation, index: int) -> Finding | None:
    """No [insert name here]."""
    return _match("placeholder", PLACEHOLDER, conversation, index)


def check_assistant_talk(conversation: Conversation, index: int) -> Finding | None:
    """Nobody speaks as a language model or of the task."""
    return _match("assistant_talk", ASSISTANT, conversation, index)


def check_refusal(conversation: Conversation, index: int) -> Finding | None:
    """The agent does not turn the customer away, as a model does that refuses its task."""
    return _match("refusal", REFUSES, conversation, index)


def check_leaked_prompt(conversation: Conversation, index: int) -> Finding | None:
    """No turn speaks a stage direction, the instruction, or a name of the worked example."""
    said = conversation.turns[index]["text"]
    line = _words(conversation.outline[index]) if index < len(conversation.outline) else []
    spoken = _words(said)
    directed = line[:1] and line[0] in DIRECTIONS and spoken[:2] == line[:2]
    text = f" {' '.join(spoken)} "
    borrowed = any(f" {' '.join(_words(name))} " in text for name in conversation.example_names)
    if directed or borrowed or _runs(conversation.instruction) & _runs(said):
        return quote("leaked_prompt", conversation, index)
    return None


def check_roles(conversation: Conversation, index: int) -> Finding | None:
    """The customer neither offers help nor asks for the other's data."""
    turn = conversation.turns[index]
    talks_as_agent = OFFERS_HELP.search(turn["text"]) or ASKS_IDENTITY.search(turn["text"])
    if turn["speaker"] == "customer" and talks_as_agent:
        return quote("roles_confused", conversation, index)
    return None


def check_disclosure(conversation: Conversation, index: int) -> Finding | None:
    """The agent does not say what only the customer can know before the customer has said it."""
    is_agent = conversation.turns[index]["speaker"] == "agent"
    if is_agent and first_proof(conversation, index) == index:
        return quote("identity_disclosed", conversation, index)
    return None


def check_identity_asked(conversation: Conversation, index: int) -> Finding | None:
    """The customer proves who they are because the agent has asked, at the turn before."""
    first = first_proof(conversation, index)
    if first == index:
        asking = conversation.text_before(index)
    elif first is None and _proof_is_due(conversation, index + 1):
        asking = conversation.turns[index]["text"]
    else:
        return None
    is_asked = ASKS_PROOF.search(asking)
    return None if is_asked else quote("identity_not_asked", conversation, index)


def check_identity_told(conversation: Conversation, index: int) -> Finding | None:
    """The customer has proved who they are at the turn whose line of the outline says so."""
    if _proof_is_due(conversation, index) and first_proof(conversation, index) is None:
        return quote("identity_not_told", conversation, index)
    return None


def check_repetition(conversation: Conversation, index: int) -> Finding | None:
    """No sentence of four words or more is said twice."""
    seen = {key for turn in conversation.turns[:index] for key in _sentences(turn["text"])}
    for key in _sentences(conversation.turns[index]["text"]):
        if key in seen:
            return quote("repetition", conversation, index)
        seen.add(key)
    return None


TURN_CHECKS: tuple[TurnCheck, ...] = (
    check_alternation,
    check_length,
    check_cut_off,
    check_placeholder,
    check_assistant_talk,
    check_refusal,
    check_leaked_prompt,
    check_roles,
    check_disclosure,
    check_identity_asked,
    check_identity_told,
    check_repetition,
)


def _match(
    reason: str, pattern: re.Pattern[str], conversation: Conversation, index: int
) -> Finding | None:
    is_found = pattern.search(conversation.turns[index]["text"])
    return quote(reason, conversation, index) if is_found else None


def first_proof(conversation: Conversation, newest: int) -> int | None:
    """Return the index of the first turn up to the newest that has a proof of identity."""
    for index, turn in enumerate(conversation.turns[: newest + 1]):
        if mentions(turn["text"], conversation.proofs):
            return index
    return None


def _proof_is_due(conversation: Conversation, index: int) -> bool:
    line = conversation.outline[index] if index < len(conversation.outline) else ""
    return mentions(line, conversation.proofs)


def _sentences(text: str) -> list[str]:
    """Return the words of each sentence that is long enough not to be said twice by chance."""
    sentences = (_words(sentence) for sentence in re.split(r"(?<=[.!?])\s+", text))
    return [" ".join(words) for words in sentences if len(words) >= REPEATED_WORDS]


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.casefold())


def _runs(text: str) -> set[tuple[str, ...]]:
    words = _words(text)
    return {tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)}
