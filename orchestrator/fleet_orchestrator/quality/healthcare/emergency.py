"""Words of an emergency, and the answer that the scenario demands at the turn that follows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet_orchestrator.quality.spoken import DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_orchestrator.quality.call import Conversation

WORDS = {
    "life_threatening": re.compile(
        r"\b(?:chest (?:pains?|hurts|is hurting|feels (?:tight|heavy))|pains? in (?:my|his|her)"
        r" chest|(?:can(?:no|['\u2019])t|cannot|hardly|barely) breathe|not breathing"
        r"|trouble breathing"
        r"|having a (?:heart attack|stroke|seizure)|(?:is|he['\u2019]s|she['\u2019]s) unconscious"
        r"|won['\u2019]t wake up|passed out|face is drooping|(?:slurring|slurred)"
        r"|bleeding (?:a lot|badly|heavily)|(?:throat|tongue) is swelling)\b",
        re.IGNORECASE,
    ),
    "self_harm": re.compile(
        r"\b(?:kill(?:ing)? myself|end(?:ing)? (?:my life|it all)|suicid\w+|want to die"
        r"|(?:hurt|harm)(?:ing)? myself|don['\u2019]t want to (?:live|be alive)|better off dead)\b",
        re.IGNORECASE,
    ),
    "poisoning": re.compile(
        r"\b(?:overdos\w+|(?:took|taken|swallowed|ate) (?:far |way )?too many|swallowed"
        r" (?:\w+ ){0,3}(?:bottle|bleach|cleaner|pills|tablets)"
        r"|double my (?:pills|tablets) by mistake)\b",
        re.IGNORECASE,
    ),
}


def leaves_unanswered(kind: str) -> Callable[[Conversation, int], bool]:
    """Return the rule that words of this kind are followed by the scenario's answer to them."""

    def is_broken(conversation: Conversation, index: int) -> bool:
        answers = conversation.healthcare.get("emergency", {}).get(kind, ())
        if not answers or not index or not conversation.is_by("agent", index):
            return False
        asked = conversation.turns[index - 1]
        is_emergency = asked["speaker"] == "customer" and WORDS[kind].search(asked["text"])
        text = conversation.turns[index]["text"]
        return bool(is_emergency) and not any(_render(a).search(text) for a in answers)

    return is_broken


def _render(answer: str) -> re.Pattern[str]:
    """Return the pattern of an answer; digits also spoken, or with signs between them."""
    if answer.isdigit():
        written = r"\W?".join(answer)
        spoken = r"\W+".join(DIGITS[int(digit)] for digit in answer)
        return re.compile(rf"\b(?:{written}|{spoken})\b", re.IGNORECASE)
    return re.compile(rf"\b{re.escape(answer)}\b", re.IGNORECASE)
