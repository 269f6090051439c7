"""
What the owner of a machine does at a time of day. Pure and seeded: a day can be lived again.

Owners live in time zones of their own (`phase`), so that at each hour somebody works or plays.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

Doing = Literal["away", "work", "game"]
Habit = Literal["gamer", "office", "nobody"]

SATURDAY = 5
DAY_HOURS = 24.0
GOLDEN = 0.618  # of a turn: each next one falls into the largest gap that the others left


@dataclass(frozen=True)
class Owner:
    """A person, or nobody, by the seed of their days."""

    habit: Habit
    seed: str
    phase: timedelta = timedelta()


@dataclass(frozen=True)
class Session:
    """A stretch of time that an owner spends at the machine, in the owner's own local time."""

    begin: datetime
    end: datetime
    doing: Doing


def decide_phase(number: int) -> timedelta:
    """Return the time zone of the owner of a node, spread evenly however many there are."""
    return timedelta(hours=number * GOLDEN * DAY_HOURS % DAY_HOURS)


def plan_day(owner: Owner, day: date) -> list[Session]:
    """Return the sessions that begin on this day; the last one may end on the next."""
    dice = random.Random(f"{owner.seed} {day.isoformat()}")  # noqa: S311 - a day, no secret
    is_weekend = day.weekday() >= SATURDAY
    if owner.habit == "nobody":
        return []
    if owner.habit == "office":
        return [] if is_weekend else _plan_office(dice, day)
    return _plan_gamer(dice, day, is_weekend=is_weekend)


def _plan_office(dice: random.Random, day: date) -> list[Session]:
    """Morning and afternoon with a break between them."""
    begin, lunch = dice.uniform(8.0, 9.5), dice.uniform(12.0, 13.0)
    return [
        _session(day, begin, lunch - begin, "work"),
        _session(day, lunch + dice.uniform(0.5, 1.0), dice.uniform(3.5, 4.5), "work"),
    ]


def _plan_gamer(dice: random.Random, day: date, *, is_weekend: bool) -> list[Session]:
    """An evening of games on most days, also an afternoon at weekends; mails before it."""
    begin = dice.uniform(18.0, 20.5)
    sessions = [_session(day, begin - 0.5, 0.5, "work")]
    if is_weekend or dice.random() < 0.75:
        sessions.append(_session(day, begin, dice.uniform(1.5, 4.0), "game"))
    if is_weekend:
        sessions.append(_session(day, dice.uniform(13.0, 14.0), dice.uniform(2.0, 3.5), "game"))
    return sessions


def _session(day: date, begin_hour: float, hours: float, doing: Doing) -> Session:
    begin = datetime.combine(day, time()) + timedelta(hours=begin_hour)
    return Session(begin, begin + timedelta(hours=hours), doing)


def decide_doing(owner: Owner, local: datetime) -> Doing:
    """Return what the owner does at a local time (without a zone) of the twin's machine."""
    own = local + owner.phase
    days = (own.date(), own.date() - timedelta(days=1))
    for session in (each for day in days for each in plan_day(owner, day)):
        if session.begin <= own < session.end:
            return session.doing
    return "away"
