"""Whether the lines of the outline are really done, in words of the speaker's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet_orchestrator.quality.call import PROOFS, quote
from fleet_orchestrator.quality.scrub import mentions, render_value_patterns

if TYPE_CHECKING:
    from fleet_orchestrator.quality.call import Conversation, Finding

CLAUSE = r"(?:is|are|goes|comes|can|has to|needs|will|arrives|waits|calls)"
OFFERS = r"\b(?:send|offer|give|make)(?: you)?(?: an?| the)? "
FIGURE = re.compile(r"\d[\d,]*|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b", re.IGNORECASE)
SPOKEN = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fif\w+|sixty|ninety|twenty"
    r"|thirty|forty|half|noon|hundred|\w+teen\w*|\w+th|tomorrow|today)\b",
    re.IGNORECASE,
)


def check_told(conversation: Conversation, index: int) -> Finding | None:
    """The agent names a day or a number where their line does, then or before."""
    if not conversation.is_by("agent", index) or index >= len(conversation.outline):
        return None
    line = conversation.outline[index]
    wanted = {
        figure.casefold()
        for name, fact in conversation.values.items()
        if fact in line and not name.endswith(("_name", "_number")) and name != "company"
        for figure in FIGURE.findall(fact)
    }
    told = {figure.casefold() for figure in FIGURE.findall(conversation.said(index))}
    is_spoken = SPOKEN.search(conversation.turns[index]["text"])
    if wanted and not wanted & told and not is_spoken:
        return quote("line_not_done", conversation, index)
    return None


def check_proofs_told(conversation: Conversation, index: int) -> Finding | None:
    """The customer tells each of the proofs that their line has, there or before."""
    if conversation.is_by("agent", index) or index >= len(conversation.outline):
        return None
    line, said = conversation.outline[index], conversation.said_by("customer", index)
    for name in PROOFS:
        value = conversation.values.get(name)
        if value and value in line and not mentions(said, render_value_patterns(name, value)):
            return quote("line_not_done", conversation, index)
    return None


def check_pasted(conversation: Conversation, index: int) -> Finding | None:
    """A fact that is a sentence of its own is not the object of another one."""
    text = conversation.turns[index]["text"]
    for fact in conversation.values.values():
        bare = re.sub(r"^(?:the|an?) ", "", fact)
        is_clause = re.search(rf"^(?:\w+ ){{1,3}}{CLAUSE}\b", bare)
        if is_clause and re.search(OFFERS + re.escape(bare[:20]), text, re.IGNORECASE):
            return quote("pasted_line", conversation, index)
    return None
