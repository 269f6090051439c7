"""What nobody on the phone can promise. Each rule looks at one turn of the agent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet_orchestrator.quality.words import is_question, split_sentences

if TYPE_CHECKING:
    from fleet_orchestrator.quality.call import Conversation

SURELY = r"(?:guarantee[sd]?|promise|assure you|definitely|certainly|for sure|100 ?%|no doubt)"
RECOVERY = re.compile(
    r"\byou(?:['\u2019]ll| will| are going to|['\u2019]re going to) (?:\w+ ){0,2}?"
    r"(?:be (?:cured|healthy|healed|better|well again|pain[- ]free|as good as new)|feel (?:much )?"
    r"better|get (?:much )?better(?! news| price| offer)|recover|make a full recovery)\b"
    r"|\b(?:will|is going to) (?:\w+ )?(?:cure|heal) (?:you|it|your|that)\b"
    rf"|\b{SURELY}\b[^.!?]{{0,40}}\b(?:cure|heal|recover|feel better|work for you)\b",
    re.IGNORECASE,
)
PAYMENT = re.compile(
    rf"\b{SURELY}\b[^.!?]{{0,60}}\b(?:approved?|cover(?:ed|s)?|paid|pays?|reimbursed?"
    r"|overturn(?:ed)?|accepted|win)\b"
    r"|\b(?:appeal|claim|request|it) (?:will|is going to) (?:definitely |certainly |surely )"
    r"(?:be )?(?:approved|paid|covered|overturned|accepted|go through)\b"
    r"|\b(?:approved?|cover(?:ed)?|paid|overturned|accepted)\b[^.!?,]{0,30}"
    r"\b(?:guaranteed|for sure|100 ?%|no doubt|I promise)",
    re.IGNORECASE,
)
LEGAL = re.compile(
    r"\b(?:sue|lawsuit|malpractice|legally|illegal|unlawful|against the law|breach of contract)\b"
    r"|\b(?:take|took) (?:\w+ ){1,3}to court\b|\b(?:broke|breaks?|violated?) the law\b"
    r"|\byou(?:['\u2019]ve got| have) a (?:\w+ )?case\b"
    r"|\bwin (?:\w+ )?(?:in court|(?:the|your) case)\b",
    re.IGNORECASE,
)
NO_ADVICE = re.compile(
    r"\b(?:can(?:no|['\u2019])t|cannot|may not|not allowed|unable|nobody|no one|not able|lawyer)\b",
    re.IGNORECASE,
)


def promises_recovery(conversation: Conversation, index: int) -> bool:
    """The agent promises that somebody gets well."""
    return _says(RECOVERY, conversation, index)


def promises_payment(conversation: Conversation, index: int) -> bool:
    """The agent promises what a review of a claim or an appeal decides."""
    return _says(PAYMENT, conversation, index)


def gives_legal_advice(conversation: Conversation, index: int) -> bool:
    """The agent says what is lawful, or what a court would say."""
    return _says(LEGAL, conversation, index)


def _says(pattern: re.Pattern[str], conversation: Conversation, index: int) -> bool:
    return conversation.is_by("agent", index) and any(
        pattern.search(sentence) and not NO_ADVICE.search(sentence)
        for sentence in split_sentences(conversation.turns[index]["text"])
        if not is_question(sentence)
    )
