"""
Say one line of a call, as a model does that has read the prompt. Pure.

A line is cut at its commas; each part is said by the first rule that fits it. What nobody wrote a
rule for is said as it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from fleet_twin.model_server.speech.phrases import (
    Phrases,
    Rule,
    capitalise,
    find_rule,
    read_phrases,
)

if TYPE_CHECKING:
    import random

    from fleet_orchestrator.generation.prompt import Line

# Commas between clauses, not those of dates and amounts.
COMMA = re.compile(r"(?<!\d), (?!\d{4}\b)|(?<=\d), (?!(?:19|20)\d\d\b)")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
DRAWS = 40  # of one line, until it says nothing that was said before
SHORT_WORDS = 4  # shorter sentences may be said again
MOOD_SHARE, MANNER_SHARE = 0.4, 0.15  # of the calls, in which the customer shows it
PROOF = re.compile(
    r"[A-Z][a-z]+ \d{1,2}, (?:19|20)\d\d|\b[A-Z]{2}\d{6}\b|\(\d{3}\) 555-01\d\d|\[PII\]"
)


@dataclass(frozen=True)
class Call:
    """What a prompt says of a call: its lines in order, and how the customer is."""

    lines: tuple[Line, ...]
    mood: str = ""
    manner: str = ""


def speak(call: Call, index: int, said: list[str], draw: random.Random) -> str:
    """Return words for the line at this index that repeat none of what was said before."""
    phrases, heard = read_phrases(), {key for text in said for key in sentences(text)}
    text = ""
    for _ in range(DRAWS):
        text = _draw(phrases, call, index, draw)
        keys = sentences(text)
        if heard.isdisjoint(keys) and len(set(keys)) == len(keys):
            break
    return text


def speak_stock(call: Call, index: int) -> str:
    """
    Return words that say nothing of this call: the same in each.

    What the customer proves their identity with is the only thing taken from the prompt.
    """
    line = call.lines[index]
    stock = read_phrases().stock[line.speaker]
    before = [other for other in call.lines[:index] if other.speaker == line.speaker]
    if not before:
        return str(stock["first"])
    if index >= len(call.lines) - 1:
        return str(stock["last"])
    if _is_proof(call, index):
        count = sum(_is_proof(call, place) for place in range(index % 2, index, 2))
        found = PROOF.search(line.does)
        text = str(stock["proof"][count % len(stock["proof"])])
        return text.replace("{proof}", found[0] if found else "")
    return str(stock["other"][len(before) % len(stock["other"])])


def sentences(text: str) -> list[str]:
    """Return the sentences that are long enough to be noticed when they are said again."""
    found = (re.findall(r"[\w']+", part.casefold()) for part in SENTENCE_END.split(text))
    return [" ".join(words) for words in found if len(words) >= SHORT_WORDS]


def _draw(phrases: Phrases, call: Call, index: int, draw: random.Random) -> str:
    line = call.lines[index]
    parts = [
        phrases.expand(draw.choice(rule.says), values, draw)
        for rule, values in _find_rules(line.speaker, line.does)
    ]
    if index == 1:  # where the customer says why they call
        parts += [
            phrases.expand(draw.choice(phrases.pools[name]), {}, draw)
            for name in _decide_feelings(phrases, call, draw)
        ]
    return capitalise(" ".join(parts))


def _decide_feelings(phrases: Phrases, call: Call, draw: random.Random) -> list[str]:
    """Return the pools of what the customer says of how they are."""
    names = []
    if draw.random() < MOOD_SHARE:
        names.append(f"mood_{call.mood}")
    if draw.random() < MANNER_SHARE:
        names.append("manner_" + call.manner.removeprefix("has ").replace(" ", "_"))
    return [name for name in names if name in phrases.pools]


@lru_cache(maxsize=4096)
def _find_rules(speaker: str, does: str) -> list[tuple[Rule, dict[str, str]]]:
    phrases = read_phrases()
    try:
        return [find_rule(phrases.lines, speaker, does)]
    except LookupError:
        rules = phrases.lines + phrases.clauses
        return [find_rule(rules, speaker, clause) for clause in COMMA.split(does)]


def _is_proof(call: Call, index: int) -> bool:
    """True for the line that proves the customer's identity, and for the one that asks for it."""
    told = index if call.lines[index].speaker == "customer" else index + 1
    return told < len(call.lines) and bool(PROOF.search(call.lines[told].does))
