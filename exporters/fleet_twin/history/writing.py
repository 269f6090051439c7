"""
The conversations that a machine wrote in the past, told by the same speech as its model server's.

Pure and seeded. Refused turns, rejections and duplicates come as often as with the live twin.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fleet_orchestrator.generation.persona import make_persona
from fleet_orchestrator.generation.prompt import decide_turns, render_outline
from fleet_orchestrator.quality.scrub import MASK
from fleet_orchestrator.quality.verdict import fingerprint

from fleet_twin.model_server.speech.flaws import FLAWS, decide_nature
from fleet_twin.model_server.speech.speaker import Call, speak, speak_stock
from fleet_twin.model_server.tokens import count_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from fleet_twin.machine.kinds import Place

MIN_TURNS, MAX_TURNS = 6, 8
INSTRUCTION_TOKENS = 780  # of a prompt, before its first turn
LINE_TOKENS = 22  # that the beginning of an answer has for each turn, beside its words
GIVEN_UP_SHARE = 0.4  # of the calls that are hard: the others come right when written anew
REASONS = {"roles": "roles_confused"}  # flaws whose check has another name


@dataclass(frozen=True)
class Request:
    """One call to the model server; `position` is the turn that it was for."""

    request_id: uuid.UUID
    ended_at: datetime
    position: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    seconds: float
    first_token_seconds: float
    refused_for: str | None = None


@dataclass(frozen=True)
class Written:
    """A conversation with all that was stored of it."""

    task_id: uuid.UUID
    conversation_id: uuid.UUID
    place: Place
    scenario: str
    seed: int
    persona: dict[str, Any]
    turns: list[dict[str, str]]
    scrubbed: list[str]
    content_hash: bytes
    requests: list[Request]
    started_at: datetime
    refused_for: str | None  # by a check while it was written, in all tries

    @property
    def finished_at(self) -> datetime:
        """When its last call ended."""
        return self.requests[-1].ended_at


def write(
    place: Place, scenario: str, definition: Mapping[str, Any], started_at: datetime, seed: int
) -> Written:
    """Return the conversation that a machine wrote from this time on."""
    draw = random.Random(seed)  # noqa: S311 - a past, no secret
    persona = make_persona(dict(definition), seed)
    values = persona["values"]
    count = decide_turns(seed, MIN_TURNS, MAX_TURNS)
    outline = render_outline(dict(definition), values, count)
    call = Call(tuple(outline), values["mood"], values["manner"])
    nature = decide_nature(call)
    is_given_up = nature.hard_index is not None and draw.random() < GIVEN_UP_SHARE
    texts: list[str] = []
    clock = _Clock(place, started_at, draw)
    reason = None
    for index, line in enumerate(outline):
        text = speak_stock(call, index) if nature.is_stock else speak(call, index, texts, draw)
        if index == nature.hard_index:
            flaw = draw.choice(FLAWS[line.speaker])
            reason = REASONS.get(flaw, flaw)
            for _ in range(4 if is_given_up else draw.randint(1, 2)):
                clock.ask(texts, text, refused_for=reason)
            if is_given_up:
                break
        clock.ask(texts, text)
        texts.append(text)
    turns = [
        {"speaker": line.speaker, "text": text} for line, text in zip(outline, texts, strict=False)
    ]
    scrubbed = [mask(text, persona) for text in texts]
    return Written(
        task_id=_uuid(draw),
        conversation_id=_uuid(draw),
        place=place,
        scenario=scenario,
        seed=seed,
        persona=persona,
        turns=turns,
        scrubbed=scrubbed,
        content_hash=fingerprint(turns, scrubbed),
        requests=clock.requests,
        started_at=started_at,
        refused_for=reason if is_given_up else None,
    )


def mask(text: str, persona: Mapping[str, Any]) -> str:
    """Return the text without personal values, which our phrases hold as they stand."""
    values = [str(persona["values"][name]) for name in persona["personal"]]
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


class _Clock:
    """Counts what the calls of one conversation cost."""

    def __init__(self, place: Place, at: datetime, draw: random.Random) -> None:
        self.kind, self.at, self.draw = place.kind, at, draw
        self.requests: list[Request] = []
        self.cached = 0

    def ask(self, texts: list[str], text: str, refused_for: str | None = None) -> None:
        """Add the call for a turn behind these."""
        prompt = INSTRUCTION_TOKENS + sum(count_tokens(said) + LINE_TOKENS for said in texts)
        tokens = count_tokens(text) + 1
        fresh = (prompt - self.cached) / INSTRUCTION_TOKENS
        first = max(0.05, self.kind.first_token_seconds * fresh * self.draw.uniform(0.9, 1.3))
        seconds = first + tokens / (self.kind.tokens_per_second * self.draw.uniform(0.75, 1.0))
        self.at += timedelta(seconds=seconds)
        self.requests.append(
            Request(
                _uuid(self.draw), self.at, len(texts) + 1, prompt, self.cached, tokens, seconds,
                first, refused_for,
            )
        )  # fmt: skip
        self.cached = prompt
        self.at += timedelta(seconds=0.02)


def _uuid(draw: random.Random) -> uuid.UUID:
    return uuid.UUID(int=draw.getrandbits(128), version=4)
