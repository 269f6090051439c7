"""Calls as our worker has them written: drawn from a scenario, and judged by the real checks."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from typing import Any

from fleet_orchestrator.generation import catalogue
from fleet_orchestrator.generation.line_by_line import LineByLine
from fleet_orchestrator.generation.method import Draft, Limits
from fleet_orchestrator.generation.one_shot import OneShot
from fleet_orchestrator.generation.persona import make_persona
from fleet_orchestrator.generation.prompt import render_outline
from fleet_orchestrator.quality.judge import gather
from fleet_orchestrator.quality.verdict import decide_verdict

SCENARIOS = sorted(path.stem for path in (catalogue.FOLDER / "scenarios").glob("*.json"))
TEMPLATE = (catalogue.FOLDER / "prompts/line_by_line.j2").read_text()
LIMITS = Limits(
    temperature=0.8,
    turn_characters_max=300,
    request_seconds_max=300.0,
    lease_seconds=30.0,
    turn_tokens_max=120,
    turn_tries_max=3,
    last_try_temperature_rise=0.2,
    conversation_tries_max=8,
    conversation_restarts_max=1,
)


@dataclass(frozen=True)
class Order:
    """A conversation that is to be written."""

    definition: dict[str, Any]
    persona: dict[str, Any]
    turns: int

    @property
    def outline(self):
        return render_outline(self.definition, self.persona["values"], self.turns)

    def draft(self, texts=()):
        """What the worker has of it once these turns are written."""
        lines = self.outline[: len(texts)]
        turns = [
            {"speaker": line.speaker, "text": text} for line, text in zip(lines, texts, strict=True)
        ]
        return Draft(self.definition, TEMPLATE, self.persona, self.outline, turns)

    def judge(self, texts):
        """The verdict of quality, and the name of what it found."""
        told = gather(self.definition, self.persona["values"], self.outline, TEMPLATE)
        verdict = decide_verdict(replace(told, turns=self.draft(texts).turns), self.persona)
        return verdict, verdict.finding and verdict.finding.reason


def make_order(scenario="lab_results", seed=1, turns=8):
    path = catalogue.FOLDER / "scenarios" / f"{scenario}.json"
    definition = json.loads(path.read_text())["definition"]
    return Order(definition, make_persona(definition, seed), turns)


def draw_orders(scenario, count):
    """Orders of 6 to 12 turns, each with a seed of its own."""
    draw = random.Random(scenario)
    return [
        make_order(scenario, draw.getrandbits(40), draw.choice((6, 8, 8, 12))) for _ in range(count)
    ]


def ask_for_turn(order, texts, seed=1):
    """The worker's call for the turn after these."""
    return LineByLine().render_request(order.draft(texts), LIMITS, seed=seed, temperature=0.8)


def ask_for_all(order, texts=(), seed=1):
    """The worker's call for all turns after these."""
    return OneShot().render_request(order.draft(texts), LIMITS, seed=seed, temperature=0.8)
