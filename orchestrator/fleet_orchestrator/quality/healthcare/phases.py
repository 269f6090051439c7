"""The parts that a call must have, by what is said, and their order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet_orchestrator.quality.checks import OFFERS_HELP, first_proof
from fleet_orchestrator.quality.words import speaks_of

if TYPE_CHECKING:
    from fleet_orchestrator.quality.call import Conversation

GOODBYE = re.compile(
    r"\b(?:good ?bye|bye(?:[- ]bye)?|take care|see you|have a (?:\w+ )?(?:day|evening|night|one"
    r"|weekend|afternoon)|good night|talk to you (?:later|soon))\b",
    re.IGNORECASE,
)
BYE = re.compile(r"\b(?:good ?bye|bye)\b", re.IGNORECASE)  # nobody goes on after it
COMMITS = re.compile(
    r"\b(?:will|(?:I|we|you|it|that|he|she|they)['\u2019]ll|can (?:offer|send|set up)|going to"
    r"|(?:is|are|['\u2019]re|['\u2019]s|have|has) (?:\w+ )?"
    r"(?:booked|scheduled|sent|set|ready|arranged))\b",
    re.IGNORECASE,
)
THANKS = re.compile(r"\b(?:thank|thanks|appreciate)\b", re.IGNORECASE)
INTRODUCES = re.compile(
    r"\b(?:speaking|this is|my name is|you['\u2019]re speaking with)\b", re.IGNORECASE
)
GREETS = re.compile(
    r"\b(?:hello|hi|good (?:morning|afternoon|evening)|welcome|reached)\b", re.IGNORECASE
)
DONE_SHARE = 0.3  # of the words of the line: the agent says it in other words


def lacks_phase(conversation: Conversation, index: int) -> bool:
    """
    The call is at its end and a phase that its scenario requires was not there.

    The opening is asked for at the first turn, where it can still be written anew.
    """
    due = set(conversation.required) & set(conversation.phases)
    if not index:
        return "opening" in due and not _opens(conversation)
    if index + 1 < len(conversation.outline):
        return False
    lacking = {
        "identity": bool(conversation.proofs) and first_proof(conversation, index) is None,
        "resolution": not _resolves(conversation, index),
    }
    closing = conversation.turns[index]["text"]
    is_closed = GOODBYE.search(closing) or THANKS.search(closing)
    return not is_closed or any(lacking.get(phase, False) for phase in due)


def breaks_order(conversation: Conversation, index: int) -> bool:
    """A goodbye before the resolution, or a call that is opened once more."""
    text = conversation.turns[index]["text"]
    company = conversation.values.get("company", "")
    if conversation.is_by("agent", index) and index > 1:
        again = INTRODUCES.search(text) and company and company.casefold() in text.casefold()
        if again and OFFERS_HELP.search(text):
            return True
    is_early = index < len(conversation.outline) - 2
    return bool(is_early and BYE.search(text) and not _resolves(conversation, index))


def _opens(conversation: Conversation) -> bool:
    """The agent says at the beginning who speaks, greets or offers help."""
    first = conversation.turns[0]["text"]
    company = conversation.values.get("company", "")
    is_named = bool(company) and speaks_of(first, company)
    is_greeted = GREETS.search(first) or INTRODUCES.search(first) or OFFERS_HELP.search(first)
    return bool(is_named or is_greeted)


def _resolves(conversation: Conversation, index: int) -> bool:
    """The agent has said what the line of the resolution says, or what else will be done."""
    said = conversation.said_by("agent", index)
    for number, phase in enumerate(conversation.phases):
        line = conversation.outline[2 * number] if 2 * number < len(conversation.outline) else ""
        if phase == "resolution" and line:
            return bool(COMMITS.search(said)) or speaks_of(said, line, share=DONE_SHARE)
    return True
