"""What quality says of one conversation. Pure: the caller stores it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fleet_orchestrator.quality.healthcare.rules import (
    Violation,
    decide_validity,
    find_violations,
)
from fleet_orchestrator.quality.order import CHECKS, find_faults
from fleet_orchestrator.quality.scrub import scrub
from fleet_orchestrator.quality.similarity import read_turns

if TYPE_CHECKING:
    from fleet_orchestrator.quality.call import Conversation, Finding

JUDGE = "checks"  # no model looked; scores stay empty


@dataclass(frozen=True)
class Verdict:
    """
    finding is None for an accepted conversation; scrubbed texts stand in turn order.

    `healthcare_valid` is None where the call is not about health care, or was not judged as such.
    """

    finding: Finding | None
    scrubbed: list[str]
    content_hash: bytes
    checks_passed: int
    checks_total: int
    judge: str = JUDGE
    healthcare_valid: bool | None = None
    violations: list[Violation] = field(default_factory=list)


def decide_verdict(conversation: Conversation, persona: dict[str, Any]) -> Verdict:
    """
    Run all checks; the first that fails is the reason, its evidence scrubbed.

    The duplicate check is the database's: it alone sees all conversations at once. It counts as one
    check here.
    """
    findings = [finding for check in CHECKS if (finding := check(conversation))]
    violations = find_violations(conversation)
    return replace(
        _make_verdict(conversation.turns, persona, findings),
        healthcare_valid=decide_validity(conversation, violations),
        violations=violations,
    )


def decide_refusal(conversation: Conversation, persona: dict[str, Any]) -> Verdict:
    """
    Return the verdict on a conversation that generation gave up at its newest turn.

    Its words are kept nowhere, not even as evidence. It breaks the rules of health care when one of
    them refused the turn; a call that is no whole one does not keep to them either.
    """
    evidence = f"turn {len(conversation.turns)} was refused in all its tries"
    findings = [replace(finding, evidence=evidence) for finding in find_faults(conversation)]
    violations = [
        Violation(finding.reason, len(conversation.turns))
        for finding in findings
        if finding.stage == "healthcare"
    ]
    return replace(
        _make_verdict(conversation.turns[:-1], persona, findings),
        healthcare_valid=False if violations else None,
        violations=violations,
    )


def _make_verdict(
    turns: list[dict[str, str]], persona: dict[str, Any], findings: list[Finding]
) -> Verdict:
    scrubbed = [scrub(turn["text"], persona) for turn in turns]
    first = findings[0] if findings else None
    if first:
        first = replace(first, evidence=scrub(first.evidence, persona))
    return Verdict(
        finding=first,
        scrubbed=scrubbed,
        content_hash=fingerprint(turns, scrubbed),
        checks_passed=len(CHECKS) + 1 - len(findings),
        checks_total=len(CHECKS) + 1,
    )


def fingerprint(turns: list[dict[str, str]], scrubbed: list[str]) -> bytes:
    """
    Return the sha256 of the role-tagged words.

    Other names, case or punctuation do not make another conversation.
    """
    spoken = read_turns([turn["speaker"] for turn in turns], scrubbed)
    lines = [f"{speaker}: {' '.join(words)}" for speaker, words in spoken]
    return hashlib.sha256("\n".join(lines).encode()).digest()
