"""
An answer at the speed of its machine: read the prompt, then write token by token.

The machine is asked anew with each piece, so that throttling and faults act in the middle of an
answer. Several tokens make a piece where the model is fast: each piece costs a wake-up.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fleet_twin import faults
from fleet_twin.model_server.tokens import count_tokens, find_common, split_tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from fleet_twin.model_server.behaviour import Behaviour
    from fleet_twin.model_server.slots import Slot

PIECE_SECONDS = 0.2
ROUNDING = 1e-6  # of tokens, by which a pause may be too short
WAIT_SECONDS = 0.5  # between two looks at a machine that lets its model do nothing


@dataclass(frozen=True)
class Clock:
    """The seconds that answers take; a test hands in one that nobody waits for."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True)
class Plan:
    """What will be written, in tokens, and why it ends there."""

    prompt: str
    tokens: tuple[str, ...]
    ends_by: Literal["stop", "length"]


@dataclass(frozen=True)
class Piece:
    """Some of an answer, and what the whole of it has cost so far; times in seconds."""

    text: str
    read_tokens: int  # of the prompt, beside those that were in the cache:
    cached_tokens: int
    read_seconds: float
    written_tokens: int
    written_seconds: float


def plan_answer(prompt: str, text: str, tokens_max: int, stop: tuple[str, ...]) -> Plan:
    """Return what is left of an answer by its limits."""
    ends = [text.index(word) for word in stop if word and word in text]
    tokens = split_tokens(text[: min(ends)] if ends else text)
    ends_by: Literal["stop", "length"] = "length" if len(tokens) > tokens_max else "stop"
    return Plan(prompt, tuple(tokens[:tokens_max]), ends_by)


async def generate(
    plan: Plan, slot: Slot, read_behaviour: Callable[[], Behaviour], clock: Clock
) -> AsyncIterator[Piece]:
    """Yield the pieces of an answer as they come; the slot keeps what was read and written."""
    whole = count_tokens(plan.prompt)
    # The last token is read again.
    cached = max(0, min(count_tokens(find_common(slot.text, plan.prompt)), whole - 1))
    slot.text = plan.prompt
    started = clock.now()
    await _read(whole - cached, read_behaviour, clock)
    read_seconds, began = clock.now() - started, clock.now()
    written, ready, looked = 0, 0.0, began
    while written < len(plan.tokens):
        behaviour = await _wait_for(read_behaviour, clock)
        speed = behaviour.decide_speed(whole + written)
        left = len(plan.tokens) - written - ready if written else 1.0  # the first one comes alone
        await clock.pause(min(max(left, 1 - ready) / speed, max(PIECE_SECONDS, 1 / speed)))
        now = clock.now()
        ready, looked = ready + (now - looked) * speed, now
        count = min(int(ready + ROUNDING), len(plan.tokens) - written)
        if count:
            text = "".join(plan.tokens[written : written + count])
            written, ready = written + count, ready - count
            slot.text += text
            yield Piece(text, whole - cached, cached, read_seconds, written, now - began)


async def _read(tokens: int, read_behaviour: Callable[[], Behaviour], clock: Clock) -> None:
    """Take the time that so many tokens of a prompt take, at whatever speed there is meanwhile."""
    left = float(tokens)
    while left > 0:
        behaviour = await _wait_for(read_behaviour, clock)
        seconds = min(left / behaviour.prompt_tokens_per_second, WAIT_SECONDS)
        await clock.pause(seconds)
        left -= seconds * behaviour.prompt_tokens_per_second


async def _wait_for(read_behaviour: Callable[[], Behaviour], clock: Clock) -> Behaviour:
    """Return how the model does as soon as it does anything: not while it is wedged."""
    while True:
        behaviour = read_behaviour()
        speed = min(behaviour.tokens_per_second, behaviour.prompt_tokens_per_second)
        if speed > 0 and faults.WEDGED_MODEL not in behaviour.faults:
            return behaviour
        await clock.pause(WAIT_SECONDS)
