"""Amounts and dates that contradict each other within one call. Pure; read by words and digits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet_orchestrator.quality.call import quote
from fleet_orchestrator.quality.words import is_question, split_sentences

if TYPE_CHECKING:
    from fleet_orchestrator.quality.call import Conversation, Finding

MONEY = re.compile(r"\$\s?(\d[\d,]*(?:\.\d\d)?)|\b(\d[\d,]*(?:\.\d\d)?) dollars\b", re.IGNORECASE)
CHANGED = re.compile(
    r"\b(?:new|instead|reduced?|lower(?:ed)?|correct(?:ed|ion)?|discount|left|remaining|remainder"
    r"|rather than|down to|off|per|each|a month|monthly|payments?|installments?|half|fee)\b",
    re.IGNORECASE,
)
WEEKDAY = re.compile(
    r"\b(monday|tuesday|wednesday|thursday|friday|saturday|sunday)s?\b", re.IGNORECASE
)
SETTLES = re.compile(
    r"\b(?:confirm(?:ed|s)?|book(?:ed)?|schedul(?:e|ed)|all set|see you|reserv(?:e|ed)"
    r"|put you down|appointment (?:is|on|for)|you(?:['\u2019]re| are) (?:down|set))\b",
    re.IGNORECASE,
)
BIRTH = re.compile(
    r"\b(january|february|march|april|may|june|july|august|september|october|november|december)"
    r" (\d{1,2})(?:st|nd|rd|th)?,? (19[2-9]\d|200\d)\b",
    re.IGNORECASE,
)
TWISTED_CENTS = 500  # a smaller amount has too few digits to be the same one twisted


def check_amounts(conversation: Conversation, index: int) -> Finding | None:
    """No amount is an earlier one with its digits changed about, or ten times it."""
    before = {cents for turn in conversation.turns[:index] for cents in _amounts(turn["text"])}
    for clause in re.split(r"[.!?;,] |\bbut\b", conversation.turns[index]["text"]):
        if CHANGED.search(clause):
            continue
        new = _amounts(clause) - before
        if any(_is_twisted(one, other) for one in new for other in before):
            return quote("amounts_conflict", conversation, index)
    return None


def check_dates(conversation: Conversation, index: int) -> Finding | None:
    """The agent settles on a day that was offered, and repeats a birthday as it was told."""
    if not conversation.is_by("agent", index):
        return None
    before = conversation.said(index - 1)
    text = conversation.turns[index]["text"]
    born, told = _births(text), _births(before)
    settled = {
        day.casefold()
        for sentence in split_sentences(text)
        if SETTLES.search(sentence) and not is_question(sentence)
        for day in WEEKDAY.findall(sentence)
    }
    spoken_of = {day.casefold() for day in WEEKDAY.findall(before)}
    offered = {day.casefold() for day in WEEKDAY.findall(conversation.said_by("agent", index - 1))}
    if (born and told and not born <= told) or (offered and not settled <= spoken_of):
        return quote("dates_conflict", conversation, index)
    return None


def _amounts(text: str) -> set[int]:
    """Return the amounts of money of a text in cents."""
    return {
        round(float((one or other).replace(",", "")) * 100) for one, other in MONEY.findall(text)
    }


def _is_twisted(one: int, other: int) -> bool:
    """True for two amounts that a listener takes for one that was said wrong."""
    digits, others = str(one).rstrip("0"), str(other).rstrip("0")
    if min(one, other) < TWISTED_CENTS or one == other:
        return False
    return len(digits) > 1 and (digits == others or sorted(str(one)) == sorted(str(other)))


def _births(text: str) -> set[tuple[str, ...]]:
    return {tuple(part.casefold() for part in found) for found in BIRTH.findall(text)}
