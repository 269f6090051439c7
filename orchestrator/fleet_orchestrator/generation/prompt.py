"""
Make the request for a conversation: its outline, the messages, and the schema of the answer.

Small models follow a plan only when they are led line by line, so the schema repeats the plan: each
turn first states its outline line (a constant), then the spoken text. Measured with
Qwen2.5-Coder-0.5B: without this, and without the worked example, it mixes up the roles in most
calls.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

SPEAKERS = ("agent", "customer")  # the agent answers the call, so position 1 is theirs
# For calls longer than a scenario's own phases.
EXTRA_EXCHANGE = {
    "agent": "asks what else would be good to know",
    "customer": "has one more question about it",
}
_ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@dataclass(frozen=True)
class Line:
    """One line of the outline: who speaks and what they do."""

    speaker: str
    does: str


def decide_turns(seed: int, minimum: int, maximum: int) -> int:
    """
    Return how many turns a conversation has.

    An even number where the limits allow one, so that both say goodbye.
    """
    choices = [n for n in range(minimum, maximum + 1) if n % 2 == 0] or [minimum]
    return random.Random(seed).choice(choices)  # noqa: S311 - repeatable, not secret


def decide_exchanges(phases: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """
    Return `count` exchanges in order.

    Required phases first, then optional ones, then extra ones before the last.
    """
    optional = [phase for phase in phases if not phase["is_required"]]
    room = count - (len(phases) - len(optional))
    kept = optional[: max(0, room)]
    chosen = [phase for phase in phases if phase["is_required"] or phase in kept]
    missing = count - len(chosen)
    if missing >= 0:
        return chosen[:-1] + [EXTRA_EXCHANGE] * missing + chosen[-1:]
    return chosen[: count - 1] + chosen[-1:] if count > 1 else chosen[:1]


def render_outline(definition: dict[str, Any], values: dict[str, str], turns: int) -> list[Line]:
    """Return one line a turn, with the values filled in; the last line closes the call."""
    exchanges = decide_exchanges(definition["phases"], (turns + 1) // 2)
    does = [exchange[speaker] for exchange in exchanges for speaker in SPEAKERS][:turns]
    does[-1] = definition["closing"] if turns % 2 == 0 else f"{does[-1]}, says goodbye"
    return [
        Line(SPEAKERS[index % 2], _parse(text).render(values)) for index, text in enumerate(does)
    ]


def render_instruction(template: str) -> str:
    """Return what the model is told before any call."""
    return _render_block(_parse(template), "instruction", {}, [])


def render_messages(
    template: str, definition: dict[str, Any], persona: dict[str, Any], outline: list[Line]
) -> list[dict[str, str]]:
    """Return the chat: instruction, a worked example of the scenario, the call to write."""
    parsed = _parse(template)
    example = definition["example"]
    example_outline = render_outline(definition, example["values"], len(example["texts"]))
    about = {"goal": definition["goal"], "agent_role": definition["agent_role"]}
    return [
        {"role": "system", "content": render_instruction(template)},
        {
            "role": "user",
            "content": _render_block(parsed, "call", about | example["values"], example_outline),
        },
        {"role": "assistant", "content": _render_answer(example_outline, example["texts"])},
        {
            "role": "user",
            "content": _render_block(parsed, "call", about | persona["values"], outline),
        },
    ]


def render_rest(written: list[dict[str, str]]) -> str:
    """Return what is added to a call of which some turns are written; nothing without any."""
    if not written:
        return ""
    return "\nThe call has begun; write only the turns that follow:\n" + "\n".join(
        f"{turn['speaker']}: {turn['text']}" for turn in written
    )


def render_beginning(outline: list[Line], texts: list[str]) -> str:
    """
    Return the answer up to the words of the turn after these.

    The beginning for one turn begins with the one for the turn before, byte for byte.
    """
    written = _render_answer(outline[: len(texts)], texts).removesuffix("]}")
    line = outline[len(texts)]
    opened = json.dumps(
        {"speaker": line.speaker, "does": line.does, "text": ""}, ensure_ascii=False
    )
    return written + (", " if texts else "") + opened.removesuffix('"}')


def render_schema(outline: list[Line], characters_max: int) -> dict[str, Any]:
    """
    Return the JSON schema of the turns of an outline.

    Each position fixes its speaker and its line, which forces alternation also from small models
    (an enum would not).
    """
    turns = [
        {
            "type": "object",
            "properties": {
                "speaker": {"const": line.speaker},
                "does": {"const": line.does},
                "text": {"type": "string", "minLength": 2, "maxLength": characters_max},
            },
            "required": ["speaker", "does", "text"],
            "additionalProperties": False,
        }
        for line in outline
    ]
    return {
        "type": "object",
        "properties": {
            "turns": {
                "type": "array",
                "prefixItems": turns,
                "minItems": len(turns),
                "maxItems": len(turns),
            }
        },
        "required": ["turns"],
        "additionalProperties": False,
    }


@lru_cache(maxsize=512)  # parsing costs more than rendering, and the same lines come again
def _parse(text: str) -> Template:
    return _ENVIRONMENT.from_string(text)


def _render_block(
    template: Template, block: str, values: dict[str, Any], outline: list[Line]
) -> str:
    context = template.new_context({**values, "outline": outline})
    return "".join(template.blocks[block](context)).strip()


def _render_answer(outline: list[Line], texts: list[str]) -> str:
    turns = [
        {"speaker": line.speaker, "does": line.does, "text": text}
        for line, text in zip(outline, texts, strict=True)
    ]
    return json.dumps({"turns": turns}, ensure_ascii=False)
