"""Heat becomes a factor, with hysteresis, on a fake clock."""

from __future__ import annotations

import itertools

import pytest
from fleet_exporters.sample import Sample
from fleet_exporters.throttle import (
    Bands,
    Level,
    decide,
    decide_heat,
    decide_level,
    read_temperatures,
)

BANDS = Bands()
TICK = 5


def replay(temperatures):
    """Return the factor at each tick of 5 s for one sensor's temperatures; None is silence."""
    heat, factors = {}, []
    for number, celsius in enumerate(temperatures):
        seen = {} if celsius is None else {"cpu": celsius}
        heat = decide_heat(heat, seen, number * TICK)
        factors.append(decide(heat, seen).throttle_factor)
    return factors


@pytest.mark.parametrize(
    ("level", "celsius", "stay", "expected"),
    [
        (Level.OK, 74.9, 0, Level.OK),
        (Level.OK, 75, 0, Level.WARM),
        (Level.OK, 80, 0, Level.HOT),
        (Level.WARM, 80, 0, Level.HOT),
        (Level.WARM, 67.1, 60, Level.WARM),
        (Level.WARM, 67, 29, Level.WARM),
        (Level.WARM, 67, 30, Level.OK),
        (Level.HOT, 72.1, 60, Level.HOT),
        (Level.HOT, 72, 30, Level.WARM),
        (Level.HOT, 60, 29, Level.HOT),
        (Level.HOT, 60, 30, Level.OK),
    ],
)
def test_level_follows_the_bands(level, celsius, stay, expected):
    """Heating acts at once; cooling needs the lower threshold and thirty seconds of stay."""
    assert expected == decide_level(level, celsius, stay, BANDS)


def test_factor_goes_down_and_up_again():
    """A machine that heats to 82 degrees and cools slowly is stopped, slowed, then free."""
    warming, hot, cooling = [60, 76, 82], [73] * 6, [71] * 6 + [66, 66]

    factors = replay(warming + hot + cooling)

    assert factors[:3] == [1.0, 0.6, 0.0]
    assert factors[3:9] == [0.0] * 6
    assert factors[9:15] == [0.6] * 6
    assert factors[15] == 1.0


def test_flutter_around_a_threshold_does_not_flip():
    """Readings that swing by a degree around 75 change the factor once, not at each tick."""
    factors = replay([74, 76] * 60)

    assert sum(a != b for a, b in itertools.pairwise(factors)) == 1


def test_silent_sensor_is_held_then_warm():
    """A hot sensor that falls silent stays hot for thirty seconds, then counts as warm."""
    factors = replay([82, *[None] * 8])

    assert factors[:7] == [0.0] * 7
    assert factors[7:] == [0.6] * 2


def test_hottest_device_decides():
    """One hot GPU throttles a machine with a cool CPU, and the reason names it."""
    temperatures = {"cpu": 50.0, "gpu 0": 85.0}

    verdict = decide(decide_heat({}, temperatures, 0), temperatures)

    assert (verdict.mode, verdict.throttle_factor) == ("throttling", 0.0)
    assert verdict.reason == "gpu 0 is hot (85 °C)"


def test_no_sensor_is_no_heat():
    """A machine without sensors runs at full speed and says that it has none."""
    verdict = decide({}, {})

    assert (
        verdict.mode,
        verdict.throttle_factor,
        verdict.reason,
    ) == ("idle", 1.0, "no temperature sensor")


def test_only_what_the_worker_heats_counts():
    """A warm SSD does not slow the worker down; CPU packages and GPUs do."""
    samples = [
        Sample("fleet_cpu_temperature_celsius", {"sensor": "k10temp Tdie"}, 61.0),
        Sample("fleet_temperature_celsius", {"sensor": "nvme Composite"}, 79.0),
        Sample("fleet_gpu_temperature_celsius", {"gpu": "1"}, 64.0),
    ]

    assert read_temperatures(samples) == {"k10temp Tdie": 61.0, "gpu 1": 64.0}
