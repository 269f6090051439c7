"""Who speaks: a customer who talks as the agent, an agent who talks as the customer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet_orchestrator.quality.call import quote

if TYPE_CHECKING:
    from fleet_orchestrator.quality.call import Conversation, Finding

OF_AGENTS = re.compile(
    r"\b(?:I(?: can|['\u2019]ll| will| could) (?:help you|look into (?:it|this|that) for you"
    r"|check (?:it|this|that) for you|transfer you|connect you|arrange|process your)"
    r"|(?:may|can|could) I have your|could you (?:please )?(?:tell|give) me your"
    r"|thank you for your patience|I have (?:it|you|your \w+) on my screen"
    r"|your (?:\w+ ){0,2}(?:results?|tests?|claim|prescription|appointment|refill|appeal"
    r"|account|member number|customer number|date of birth))\b",
    re.IGNORECASE,
)
OF_CUSTOMERS = re.compile(
    r"\bmy (?:bill|claim|order|prescription|appointment|results?|refill|contract"
    r"|medicine|medication|tablets|inhaler|date of birth|birthday|member number"
    r"|customer number|order number|parcel|router)\b"
    r"|\bI(?:['\u2019]d like| would like| want| need)"
    r" (?:a refill|to cancel|my money|an appointment)"
    r"|\bI(?:['\u2019]ve| have)? (?:got|received) (?:a|my|your) (?:bill|letter)\b"
    r"|\bhow much (?:I|we) (?:can|have to|need to|should) pay\b"
    r"|\bwhat (?:should|do|can) I do\b(?! for)"
    r"|\bhow (?:do|can) I (?:fix|fight|change|get) (?:it|this|that)\b",
    re.IGNORECASE,
)
ECHO_WORDS = 5  # of the other's own words; fewer may be said by both
INTRODUCTION = r"\b(?:this is|I am|I['\u2019]m|my name is|it['\u2019]s) {name}\b"


def check_speaker(conversation: Conversation, index: int) -> Finding | None:
    """Nobody says what only the other side says, or gives the other's name as their own."""
    text = conversation.turns[index]["text"]
    is_agent = conversation.is_by("agent", index)
    if (OF_CUSTOMERS if is_agent else OF_AGENTS).search(text):
        return quote("speaks_as_other", conversation, index)
    other = conversation.values.get("customer_name" if is_agent else "agent_name", "")
    first = other.split()[0] if other else ""
    own = conversation.values.get("agent_name" if is_agent else "customer_name", "").split()
    is_other = first and re.search(INTRODUCTION.format(name=re.escape(first)), text, re.IGNORECASE)
    return quote("speaks_as_other", conversation, index) if is_other and first not in own else None


def check_echo(conversation: Conversation, index: int) -> Finding | None:
    """Nobody says of themselves, word for word, what the other has said of themselves."""
    turns = conversation.turns
    others = {
        run
        for turn in turns[:index]
        if turn["speaker"] != turns[index]["speaker"]
        for run in _runs_of_self(turn["text"])
    }
    if others & _runs_of_self(turns[index]["text"]):
        return quote("speaks_as_other", conversation, index)
    return None


def _runs_of_self(text: str) -> set[tuple[str, ...]]:
    """Return the runs of words that begin with I."""
    words = re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.casefold().replace("\u2019", "'"))
    return {
        tuple(words[start : start + ECHO_WORDS])
        for start in range(len(words) - ECHO_WORDS + 1)
        if words[start].split("'")[0] == "i"
    }


def check_address(conversation: Conversation, index: int) -> Finding | None:
    """Nobody thanks, or takes leave of, themselves by name."""
    own = "agent_name" if conversation.is_by("agent", index) else "customer_name"
    name = conversation.values.get(own, "").split()
    text = conversation.turns[index]["text"]
    if name and re.search(
        rf"\b(?:thanks|thank you(?: \w+){{0,2}}|bye|goodbye),? {re.escape(name[0])}\b",
        text,
        re.IGNORECASE,
    ):
        return quote("addresses_self", conversation, index)
    return None
