"""
Heat of one chip: a first-order model. Pure.

The temperature approaches ambient + power x thermal resistance with a time constant. The fan
follows the temperature and lowers the resistance; near its limit the chip lowers its clock, and
with it its power.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FAN_OFF_CELSIUS, FAN_FULL_CELSIUS = 45.0, 85.0
FAN_GAIN = 0.45  # share of the resistance that a fan at full speed takes away
CLOCK_FALL_PER_KELVIN = 0.08  # above the limit
CLOCK_MIN = 0.3
REST_HALVINGS = 20  # of some hundred degrees: to less than a thousandth of one


@dataclass(frozen=True)
class Chip:
    """What a chip draws, and how well it is cooled."""

    idle_watts: float
    full_watts: float
    kelvin_per_watt: float
    seconds: float  # time constant
    limit_celsius: float  # above it the clock falls
    has_fan: bool = True


@dataclass(frozen=True)
class Heat:
    """State of a chip at one moment; fan and clock are shares of their full values."""

    celsius: float
    watts: float = 0.0
    fan_ratio: float = 0.0
    clock_ratio: float = 1.0

    @property
    def is_throttled(self) -> bool:
        """True while the chip holds its own clock down."""
        return self.clock_ratio < 1.0


def decide_fan(celsius: float) -> float:
    """Return the fan's share of full speed: off when cool, full when hot."""
    span = (celsius - FAN_OFF_CELSIUS) / (FAN_FULL_CELSIUS - FAN_OFF_CELSIUS)
    return min(1.0, max(0.0, span))


def decide_clock(chip: Chip, celsius: float) -> float:
    """Return the share of its full clock that a chip runs at."""
    excess = max(0.0, celsius - chip.limit_celsius)
    return max(CLOCK_MIN, 1.0 - CLOCK_FALL_PER_KELVIN * excess)


def settle(chip: Chip, watts: float, ambient_celsius: float, fan_ratio: float) -> float:
    """Return the temperature that a chip would reach if nothing changed any more."""
    resistance = chip.kelvin_per_watt * (1.0 - FAN_GAIN * fan_ratio)
    return ambient_celsius + watts * resistance


def decide_watts(chip: Chip, load: float, celsius: float) -> float:
    """Return what a chip draws at a load from 0 to 1 while it is so hot."""
    clock = decide_clock(chip, celsius)
    return chip.idle_watts + (chip.full_watts - chip.idle_watts) * load * clock


def find_rest(chip: Chip, load: float, ambient_celsius: float) -> float:
    """Return the temperature that a chip stays at under a load, fan and clock following."""
    low, high = ambient_celsius, settle(chip, chip.full_watts, ambient_celsius, 0.0)
    for _ in range(REST_HALVINGS):
        middle = (low + high) / 2
        fan = decide_fan(middle) if chip.has_fan else 0.0
        is_rising = settle(chip, decide_watts(chip, load, middle), ambient_celsius, fan) > middle
        low, high = (middle, high) if is_rising else (low, middle)
    return low


def step(chip: Chip, heat: Heat, load: float, ambient_celsius: float, seconds: float) -> Heat:
    """Return the state after so many seconds at a load from 0 to 1."""
    fan = decide_fan(heat.celsius) if chip.has_fan else 0.0
    watts = decide_watts(chip, load, heat.celsius)
    target = settle(chip, watts, ambient_celsius, fan)
    celsius = target + (heat.celsius - target) * math.exp(-seconds / chip.seconds)
    return Heat(celsius, watts, fan, decide_clock(chip, celsius))
