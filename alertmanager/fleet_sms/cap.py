"""
How many messages may go out: a token bucket, and one message for all that it holds back.

Pure. The state is kept on disk, so that a restart neither forgets the cap nor tells anything twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_sms.text import Notice

BURST = 5  # messages that may follow each other at once
REPEAT_SECONDS = 1500.0  # what is told again sooner is a delivery repeated, not a reminder
GROUPS_MAX = 500  # remembered


@dataclass(frozen=True)
class State:
    """Tokens at a time, what was last told of each group, and what was held back since."""

    tokens: float = float(BURST)
    at: float = 0.0  # seconds since the epoch
    told: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)  # messages by alert


def refill(state: State, now: float, per_hour: int) -> State:
    """Return the state with the tokens that have grown since."""
    grown = max(0.0, now - state.at) * per_hour / 3600 if state.at else 0.0
    return replace(state, tokens=min(float(min(BURST, per_hour)), state.tokens + grown), at=now)


def is_repeated(state: State, notice: Notice, now: float) -> bool:
    """True for what was the last word about this group a short time ago."""
    digest, at = state.told.get(notice.group, ("", 0.0))
    return digest == notice.digest and now - at < REPEAT_SECONDS


def take(state: State, notice: Notice, now: float, per_hour: int) -> tuple[State, bool]:
    """Return the state after a notice, and whether it may be sent now."""
    state = refill(state, now, per_hour)
    told = {**state.told, notice.group: (notice.digest, now)}
    if len(told) > GROUPS_MAX:
        told.pop(min(told, key=lambda group: told[group][1]))
    state = replace(state, told=told)
    # While something is held back, the next token belongs to the message about it.
    if state.tokens < 1 or state.held:
        held = {**state.held, notice.alertname: state.held.get(notice.alertname, 0) + 1}
        return replace(state, held=held), False
    return replace(state, tokens=state.tokens - 1), True


def take_rest(state: State, now: float, per_hour: int) -> tuple[State, Mapping[str, int]]:
    """Return the state after telling what was held back, and that, when there is a token for it."""
    state = refill(state, now, per_hour)
    if not state.held or state.tokens < 1:
        return state, {}
    return replace(state, tokens=state.tokens - 1, held={}), state.held
