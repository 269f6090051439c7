"""
From a stored conversation to its verdict.

Gather what the checks need, run them. Called by the worker's quality thread.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fleet_orchestrator.generation.prompt import (
    decide_exchanges,
    render_instruction,
    render_outline,
)
from fleet_orchestrator.quality.call import PROOFS, Conversation
from fleet_orchestrator.quality.scrub import render_value_patterns
from fleet_orchestrator.quality.verdict import Verdict, decide_verdict

if TYPE_CHECKING:
    from fleet_orchestrator.generation.prompt import Line
    from fleet_orchestrator.store import Unjudged

NAMES = ("company", "customer_name", "agent_name", "reference_number", "date_of_birth")


def judge(unjudged: Unjudged) -> Verdict:
    """Return the verdict on one conversation; pure but for the regular expressions' time."""
    values = unjudged.persona["values"]
    outline = render_outline(unjudged.definition, values, len(unjudged.turns))
    told = gather(unjudged.definition, values, outline, unjudged.template)
    conversation = replace(
        told,
        turns=unjudged.turns,
        min_turns=unjudged.min_turns,
        max_turns=unjudged.max_turns,
    )
    return decide_verdict(conversation, unjudged.persona)


def gather(
    definition: dict[str, Any], values: dict[str, str], outline: list[Line], template: str
) -> Conversation:
    """Return a conversation without turns: what the checks must know of what the model is told."""
    example = definition["example"]["values"]
    exchanges = decide_exchanges(definition["phases"], (len(outline) + 1) // 2)
    return Conversation(
        turns=[],
        min_turns=len(outline),
        max_turns=len(outline),
        outline=[line.does for line in outline],
        instruction=render_instruction(template),
        example_names=[
            example[name] for name in NAMES if name in example and example[name] != values.get(name)
        ],
        example_facts=[
            example[name]
            for name in definition["facts"]
            if name in example
            and example[name] != values.get(name)
            and any(f"{{{{ {name} }}}}" in phase["agent"] for phase in definition["phases"])
        ],
        proofs={
            pattern
            for name in PROOFS
            if any(values[name] in line.does for line in outline)
            for pattern in render_value_patterns(name, values[name])
        },
        values=values,
        phases=[exchange.get("phase", "") for exchange in exchanges],
        required=[phase["phase"] for phase in definition["phases"] if phase["is_required"]],
        healthcare=definition.get("healthcare", {}),
    )
