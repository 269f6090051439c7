"""All checks, in the order in which they are asked: shape, the healthcare rules, then sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_orchestrator.quality import checks
from fleet_orchestrator.quality.call import of_every_turn
from fleet_orchestrator.quality.consistency import check_amounts, check_dates
from fleet_orchestrator.quality.healthcare.rules import check_healthcare
from fleet_orchestrator.quality.sense import done, flow, knowledge, roles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_orchestrator.quality.call import Check, Conversation, Finding, TurnCheck

SENSE_CHECKS: tuple[TurnCheck, ...] = (
    roles.check_speaker,
    roles.check_echo,
    roles.check_address,
    knowledge.check_known,
    knowledge.check_borrowed,
    knowledge.check_asked_again,
    flow.check_answered,
    flow.check_yes,
    flow.check_relief,
    flow.check_greeting,
    flow.check_early_end,
    flow.check_end,
    done.check_told,
    done.check_proofs_told,
    done.check_pasted,
    check_amounts,
    check_dates,
)
TURN_CHECKS: tuple[TurnCheck, ...] = (*checks.TURN_CHECKS, check_healthcare, *SENSE_CHECKS)
CHECKS: tuple[Check, ...] = (checks.check_turn_count, *map(of_every_turn, TURN_CHECKS))


def find_faults(conversation: Conversation) -> Iterator[Finding]:
    """Yield what the checks that fail say of the newest turn, in their order."""
    newest = len(conversation.turns) - 1
    return (finding for check in TURN_CHECKS if (finding := check(conversation, newest)))


def find_fault(conversation: Conversation) -> Finding | None:
    """Return what the first check that fails says of the newest turn."""
    return next(find_faults(conversation), None)
