"""All checks, in the order in which they are asked: shape, sense, then the healthcare rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_orchestrator.quality import checks
from fleet_orchestrator.quality.call import of_every_turn
from fleet_orchestrator.quality.healthcare.rules import check_healthcare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_orchestrator.quality.call import Check, Conversation, Finding, TurnCheck

TURN_CHECKS: tuple[TurnCheck, ...] = (*checks.TURN_CHECKS, check_healthcare)
CHECKS: tuple[Check, ...] = (checks.check_turn_count, *map(of_every_turn, TURN_CHECKS))


def find_faults(conversation: Conversation) -> Iterator[Finding]:
    """Yield what the checks that fail say of the newest turn, in their order."""
    newest = len(conversation.turns) - 1
    return (finding for check in TURN_CHECKS if (finding := check(conversation, newest)))


def find_fault(conversation: Conversation) -> Finding | None:
    """Return what the first check that fails says of the newest turn."""
    return next(find_faults(conversation), None)
