"""Heat of one chip: where it goes, how fast, and what the chip does about it."""

from __future__ import annotations

import math

import pytest
from fleet_twin.machine.thermal import (
    Chip,
    Heat,
    decide_clock,
    decide_fan,
    find_rest,
    settle,
    step,
)

BARE = Chip(10, 110, 0.5, 40, 95, has_fan=False)
COOLED = Chip(10, 110, 0.5, 40, 95)
LIMITED = Chip(10, 300, 0.5, 40, 70, has_fan=False)


def after(chip, heat, load, seconds, parts=1):
    for _ in range(parts):
        heat = step(chip, heat, load, 20.0, seconds / parts)
    return heat


def test_a_chip_approaches_ambient_plus_power_times_resistance():
    """At 110 W and 0.5 K/W it ends 55 K above the room."""
    assert after(BARE, Heat(20), 1.0, 1000).celsius == pytest.approx(75, abs=0.01)


def test_one_time_constant_brings_it_63_percent_of_the_way():
    """Whatever the temperature it began at."""
    heat = after(BARE, Heat(20), 1.0, BARE.seconds)

    assert (heat.celsius - 20) / 55 == pytest.approx(1 - math.exp(-1))


def test_the_length_of_steps_does_not_matter():
    """A step of ten seconds is ten of one."""
    long, short = after(BARE, Heat(20), 0.7, 60), after(BARE, Heat(20), 0.7, 60, parts=60)

    assert long.celsius == pytest.approx(short.celsius)


def test_no_time_changes_no_temperature():
    """Two readings of one moment say the same."""
    assert step(BARE, Heat(44), 1.0, 20, 0).celsius == 44


def test_an_idle_chip_cools_down():
    """It ends where idle power holds it."""
    assert after(BARE, Heat(90), 0.0, 1000).celsius == pytest.approx(25, abs=0.01)


@pytest.mark.parametrize(("celsius", "ratio"), [(20, 0), (45, 0), (65, 0.5), (85, 1), (110, 1)])
def test_the_fan_follows_the_temperature(celsius, ratio):
    """Off below 45 degrees, full from 85 on."""
    assert decide_fan(celsius) == ratio


def test_a_fan_makes_a_loaded_chip_cooler():
    """It takes away resistance."""
    assert settle(COOLED, 110, 20, 1.0) < settle(COOLED, 110, 20, 0.0)
    assert after(COOLED, Heat(20), 1.0, 600, parts=600).celsius < 75


def test_clock_and_power_fall_above_the_limit():
    """A chip that would reach 170 degrees holds itself down instead."""
    hot = after(LIMITED, Heat(20), 1.0, 2000, parts=2000)

    assert 70 < hot.celsius < 90
    assert hot.clock_ratio < 1
    assert hot.watts < 200
    assert hot.is_throttled


@pytest.mark.parametrize("chip", [BARE, COOLED, LIMITED])
def test_a_chip_rests_where_it_is_known_to(chip):
    """Worked out at once or lived through, fan and clock come to the same."""
    lived = after(chip, Heat(20), 1.0, 2000, parts=2000)

    assert find_rest(chip, 1.0, 20.0) == pytest.approx(lived.celsius, abs=0.01)


def test_the_clock_has_a_floor():
    """Also in a fire a chip goes on slowly."""
    assert decide_clock(LIMITED, 500) == 0.3
    assert decide_clock(LIMITED, 70) == 1.0
