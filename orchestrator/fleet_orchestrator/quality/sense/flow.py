"""How one turn follows another: greetings, questions, thanks, the end of the call."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet_orchestrator.quality.call import quote
from fleet_orchestrator.quality.healthcare.phases import BYE, GOODBYE, THANKS
from fleet_orchestrator.quality.words import is_question, split_sentences

if TYPE_CHECKING:
    from fleet_orchestrator.quality.call import Conversation, Finding

GREETING = re.compile(r"^(?:hello|hi|hey|good (?:morning|afternoon|evening))\b", re.IGNORECASE)
WELCOME = re.compile(r"^(?:you['\u2019]re|you are) (?:very |most )?welcome\b", re.IGNORECASE)
ASKS_WHETHER = re.compile(
    r"\b(?:are|is|have|has|can|could|will|do|did)\b[^.?!]*\?\W*$", re.IGNORECASE
)
YES = re.compile(r"^(?:yes|yeah|sure|of course)\b(?!,? but)(?P<rest>[^.!?]*)", re.IGNORECASE)
NOT_YET = re.compile(
    r"\b(?:needs? (?:one more|another|to be)|can(?:no|['\u2019])t|out of stock|expired|too early"
    r"|not (?:there|back|ready|signed|yet)|has to be|no \w+ (?:is|are) left|delayed|lost)\b",
    re.IGNORECASE,
)
RELIEF = re.compile(
    r"\b(?:that['\u2019]s (?:a relief|great|wonderful|perfect|good news)|what a relief)\b",
    re.IGNORECASE,
)
BAD_NEWS = re.compile(
    r"\b(?:can(?:no|['\u2019])t|cannot|unable|not available|not possible)\b", re.IGNORECASE
)
HOPE = re.compile(
    r"\b(?:will|can(?!['\u2019]t)|could|(?:I|we|you|it|they)['\u2019]ll|ready|offer|instead|but)\b",
    re.IGNORECASE,
)
NOTHING_MORE = re.compile(
    r"^\W*(?:(?:you['\u2019]re welcome|thank you|thanks|okay|ok|good ?bye|bye|have a \w+ day"
    r"|no problem|sure|great|of course|i see|i understand)\W*(?:so much|very much|now|then|for"
    r" calling|for that)?\W*)+$",
    re.IGNORECASE,
)
END = 2  # turns in which a call may end


def check_end(conversation: Conversation, index: int) -> Finding | None:
    """The last turn takes leave, with thanks at least, and asks nothing that nobody answers."""
    if index + 1 != len(conversation.outline):
        return None
    text = conversation.turns[index]["text"]
    last = split_sentences(text)[-1:]
    is_leaving = GOODBYE.search(text) or THANKS.search(text)
    if is_leaving and not any(is_question(sentence) for sentence in last):
        return None
    return quote("no_goodbye", conversation, index)


def check_early_end(conversation: Conversation, index: int) -> Finding | None:
    """Nobody takes leave and goes on."""
    is_early = index < len(conversation.outline) - END
    leaves = BYE.search(conversation.turns[index]["text"])
    return quote("early_goodbye", conversation, index) if is_early and leaves else None


def check_greeting(conversation: Conversation, index: int) -> Finding | None:
    """Greetings are at the beginning, and a welcome answers thanks."""
    text = conversation.turns[index]["text"]
    thanked = THANKS.search(conversation.text_before(index))
    is_late = index >= END and GREETING.search(text)
    if is_late or (WELCOME.search(text) and not thanked):
        return quote("misplaced_courtesy", conversation, index)
    return None


def check_yes(conversation: Conversation, index: int) -> Finding | None:
    """Who says yes to a question goes on to say so, not the opposite."""
    asked = split_sentences(conversation.text_before(index))[-1:]
    yes = YES.search(conversation.turns[index]["text"])
    if ASKS_WHETHER.search(" ".join(asked)) and yes and NOT_YET.search(yes["rest"]):
        return quote("yes_means_no", conversation, index)
    return None


def check_relief(conversation: Conversation, index: int) -> Finding | None:
    """Nobody is relieved by a refusal that leaves nothing to hope for."""
    told = conversation.text_before(index)
    is_relieved = RELIEF.search(conversation.turns[index]["text"])
    if is_relieved and BAD_NEWS.search(told) and not HOPE.search(told):
        return quote("relieved_by_refusal", conversation, index)
    return None


def check_answered(conversation: Conversation, index: int) -> Finding | None:
    """A question is not followed by mere courtesy."""
    asked = split_sentences(conversation.text_before(index))[-1:]
    text = conversation.turns[index]["text"]
    is_asked = any(is_question(sentence) for sentence in asked)
    if conversation.is_by("agent", index) and is_asked and NOTHING_MORE.search(text):
        return quote("question_unanswered", conversation, index)
    return None
