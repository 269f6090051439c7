"""The rules of a call about health care: what stands in rules.json, each with its function."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_orchestrator.quality.call import Conversation, Finding, quote
from fleet_orchestrator.quality.consistency import check_amounts, check_dates
from fleet_orchestrator.quality.healthcare import clinical, emergency, identity, phases, promises

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_orchestrator.quality.call import TurnCheck

IsBroken = Callable[[Conversation, int], bool]  # by the turn at an index and those before it
FILE = Path(__file__).with_name("rules.json")


@dataclass(frozen=True)
class Rule:
    """A rule as people read it; `rule` is its id, and the reason of a rejection."""

    rule: str
    theme: str
    text: str
    source: str


@dataclass(frozen=True)
class Violation:
    """A turn, from 1, that breaks a rule."""

    rule: str
    position: int


def _finds(check: TurnCheck) -> IsBroken:
    return lambda conversation, index: check(conversation, index) is not None


BREAKS: dict[str, IsBroken] = {
    "identity_before_disclosure": identity.discloses_unproven,
    "identity_disclosed": identity.tells_identifier,
    "third_party_disclosure": identity.discloses_to_other,
    "needless_secret_asked": identity.asks_too_much,
    "diagnosis_given": clinical.gives_diagnosis,
    "result_interpreted": clinical.interprets_result,
    "dose_given": clinical.gives_dose,
    "treatment_advised": clinical.advises_treatment,
    "recovery_promised": promises.promises_recovery,
    "payment_promised": promises.promises_payment,
    "legal_advice_given": promises.gives_legal_advice,
    "amounts_conflict": _finds(check_amounts),
    "dates_conflict": _finds(check_dates),
    "phase_missing": phases.lacks_phase,
    "phases_out_of_order": phases.breaks_order,
    "emergency_unanswered": emergency.leaves_unanswered("life_threatening"),
    "crisis_unanswered": emergency.leaves_unanswered("self_harm"),
    "poisoning_unanswered": emergency.leaves_unanswered("poisoning"),
}


def load_rules() -> list[Rule]:
    """Return the rules as they stand in the file, in its order."""
    return [Rule(**row) for row in json.loads(FILE.read_text())]


def find_violations(conversation: Conversation) -> list[Violation]:
    """Return which turns break which rules, in the order of the turns; none in other calls."""
    return [
        Violation(rule, index + 1)
        for index in range(len(conversation.turns))
        for rule in _broken(conversation, index)
    ]


def decide_validity(conversation: Conversation, violations: list[Violation]) -> bool | None:
    """
    Return whether a call keeps to the rules; None where that is not judged.

    It is not in a call about something else, and in one too short for the phases that are required.
    """
    if not conversation.healthcare:
        return None
    if violations:
        return False
    return True if set(conversation.required) <= set(conversation.phases) else None


def check_healthcare(conversation: Conversation, index: int) -> Finding | None:
    """Return the first rule that the turn at an index breaks."""
    rule = next(_broken(conversation, index), None)
    return quote(rule, conversation, index, stage="healthcare") if rule else None


def _broken(conversation: Conversation, index: int) -> Iterator[str]:
    if conversation.healthcare:
        for rule, is_broken in BREAKS.items():
            if is_broken(conversation, index):
                yield rule
