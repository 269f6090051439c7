"""Who is asked for what, and what is told to whom. Each rule looks at a turn and those before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet_orchestrator.quality.checks import check_disclosure, first_proof
from fleet_orchestrator.quality.words import find_stems, is_question, speaks_of, split_sentences

if TYPE_CHECKING:
    from fleet_orchestrator.quality.call import Conversation

OF_THE_RECORD = re.compile(
    r"\byour (?:\w+ ){0,2}(?:results?|chart|records?|file|prescription|claim|appeal|tests?)"
    r" (?:is|are|was|were|has|have|shows?|says?|came)\b(?P<told>[^.!?]*)",
    re.IGNORECASE,
)
FOR_SOMEBODY = re.compile(
    r"\b(?:call(?:ing)?|asking|phoning) (?:\w+ ){0,2}?(?:for|about|on behalf of) my (?:\w+ )?"
    r"(?:husband|wife|spouse|partner|mother|mom|father|dad|parents?|brother|sister|friend"
    r"|neighbou?r|grandmother|grandfather|grandma|grandpa|aunt|uncle|boyfriend|girlfriend)\b",
    re.IGNORECASE,
)
PERMISSION = re.compile(
    r"\b(?:permission|permit\w*|authori[sz]\w*|consent\w*|power of attorney|release form"
    r"|(?:speak|talk) (?:with|to) (?:him|her|them)|put (?:him|her|them) on)\b",
    re.IGNORECASE,
)
NEEDLESS = re.compile(
    r"\b(?:social security|password|passcode|PIN|CVV|security code|mother['\u2019]s maiden name)\b",
    re.IGNORECASE,
)
SPARED = re.compile(
    r"\b(?:last four|never|don['\u2019]t|do not|no need|not need|without)\b", re.IGNORECASE
)


def discloses_unproven(conversation: Conversation, index: int) -> bool:
    """The agent tells something of the record before the caller has proved who they are."""
    if not conversation.is_by("agent", index) or not conversation.proofs:
        return False
    proof = first_proof(conversation, index)
    return (proof is None or proof == index) and _discloses(conversation, index)


def tells_identifier(conversation: Conversation, index: int) -> bool:
    """The agent says what proves the identity before the caller has said it."""
    return check_disclosure(conversation, index) is not None


def discloses_to_other(conversation: Conversation, index: int) -> bool:
    """The agent tells somebody else of an adult's record, and nobody spoke of a permission."""
    proof = first_proof(conversation, index)
    if not conversation.is_by("agent", index) or proof is None or proof == index:
        return False
    is_for_other = FOR_SOMEBODY.search(conversation.said_by("customer", index))
    is_permitted = PERMISSION.search(conversation.said(index))
    return bool(is_for_other) and not is_permitted and _discloses(conversation, index)


def asks_too_much(conversation: Conversation, index: int) -> bool:
    """The agent asks for a secret that no such call needs."""
    return conversation.is_by("agent", index) and any(
        NEEDLESS.search(sentence) and not SPARED.search(sentence)
        for sentence in split_sentences(conversation.turns[index]["text"])
        if is_question(sentence) or re.search(r"\b(?:need|give|tell)\b", sentence, re.IGNORECASE)
    )


def _discloses(conversation: Conversation, index: int) -> bool:
    """A statement of the agent has what only the record knows, or news of the caller's own."""
    told_by_caller = conversation.said_by("customer", index)
    secrets = [
        conversation.values[name]
        for name in conversation.healthcare.get("protected", ())
        if name in conversation.values and not speaks_of(told_by_caller, conversation.values[name])
    ]
    statements = [
        sentence
        for sentence in split_sentences(conversation.turns[index]["text"])
        if not is_question(sentence)
    ]
    known = find_stems(told_by_caller)
    return any(
        any(speaks_of(statement, secret) for secret in secrets)
        or any(find_stems(m["told"]) - known for m in OF_THE_RECORD.finditer(statement))
        for statement in statements
    )
