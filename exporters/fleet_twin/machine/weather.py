"""
What comes and goes around a machine: the room, the radio, the plug, the power supply. Pure.

Each is drawn anew for a stretch of time from the machine's seed, so that the same stretch is always
the same.
"""

from __future__ import annotations

import math
import random

STRETCH_SECONDS = 600
WIRELESS_DROP_SHARE = 0.15  # of all stretches
WIRELESS_DROP_SECONDS = (15.0, 50.0)
UNPLUGGED_SHARE = 0.12
WEAK_SUPPLY_SHARE = 0.3  # of all Raspberry Pis
DAY_SECONDS = 86400.0


def _roll(seed: str, what: str, at: float) -> tuple[random.Random, float]:
    """Return the dice of the stretch that holds `at` (Unix time), and seconds into it."""
    number, inside = divmod(at, STRETCH_SECONDS)
    return random.Random(f"{seed} {what} {number:.0f}"), inside  # noqa: S311 - weather, no secret


def decide_room(seed: str, at: float) -> float:
    """Return the celsius of the room: its own mean, warmest in the afternoon."""
    mean = random.Random(f"{seed} room").uniform(20.0, 25.0)  # noqa: S311
    return mean + 2.0 * math.sin(2 * math.pi * (at / DAY_SECONDS - 0.375))


def decide_online(seed: str, at: float) -> bool:
    """Return whether a wireless link holds."""
    dice, inside = _roll(seed, "wireless", at)
    if dice.random() >= WIRELESS_DROP_SHARE:
        return True
    length = dice.uniform(*WIRELESS_DROP_SECONDS)
    begin = dice.uniform(0.0, STRETCH_SECONDS - length)
    return not begin <= inside < begin + length


def decide_unplugged(seed: str, at: float) -> bool:
    """Return whether a laptop runs on its battery."""
    dice, _ = _roll(seed, "plug", at)
    return dice.random() < UNPLUGGED_SHARE


def decide_weak_supply(seed: str, at: float) -> bool:
    """Return whether a supply is too weak now; some are never, the others now and then."""
    if random.Random(f"{seed} supply").random() >= WEAK_SUPPLY_SHARE:  # noqa: S311
        return False
    dice, inside = _roll(seed, "voltage", at)
    begin = dice.uniform(0.0, STRETCH_SECONDS)
    return dice.random() < 0.5 and begin <= inside < begin + 20.0
