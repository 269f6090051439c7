"""Heat, owner, battery and a hand become one factor, with hysteresis, on a fake clock."""

from __future__ import annotations

import itertools

import pytest
from fleet_exporters.decision.activity import Activity, Signals
from fleet_exporters.decision.rules import Bands, Rules
from fleet_exporters.decision.throttle import (
    SLOWDOWN_METRIC,
    Heat,
    Level,
    Thermometer,
    decide,
    decide_heat,
    decide_level,
    read_thermometers,
)
from fleet_exporters.sample import Sample

BANDS = Bands()
TICK = 5
IDLE = Activity()
GAMING = Activity("gaming", reason="Steam runs app 440")
WORK = Activity("work", reason="input 3 s ago")


def decide_now(heat, activity=IDLE, rules=Rules(), now=0):  # noqa: B008 - frozen
    """Return the verdict on this heat and activity."""
    return decide(heat, activity, Signals(), now, rules)


def replay(thermometers, rules=Rules()):  # noqa: B008 - frozen
    """Return the factor at each tick of 5 s for one sensor; None is silence."""
    heat, factors = {}, []
    for number, said in enumerate(thermometers):
        if said is not None and not isinstance(said, Thermometer):
            said = Thermometer(said)  # noqa: PLW2901 - celsius alone is enough for most
        seen = {} if said is None else {"gpu 0": said}
        heat = decide_heat(heat, seen, number * TICK, rules)
        factors.append(decide_now(heat, rules=rules, now=number * TICK).throttle_factor)
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
    heat = decide_heat({}, {"cpu": Thermometer(50), "gpu 0": Thermometer(85)}, 0)

    verdict = decide_now(heat)

    assert (verdict.mode, verdict.throttle_factor) == ("throttling", 0.0)
    assert verdict.reason == "gpu 0 is hot (85 °C)"
    assert verdict.temperatures == {"cpu": 50, "gpu 0": 85}
    assert not verdict.must_cut


def test_silent_sensor_is_told_as_silent():
    """The last value of a sensor that says nothing is no temperature of now."""
    verdict = decide_now({"cpu": Heat(Level.WARM, 0, 90, seen_at=0)}, now=40)

    assert (verdict.reason, verdict.temperatures) == ("cpu is warm (silent)", {})


def test_no_sensor_is_no_heat():
    """A machine without sensors runs at full speed."""
    assert decide_now({}).throttle_factor == 1.0


def test_bands_are_of_the_kind_of_device():
    """A GPU may be allowed more than a CPU."""
    rules = Rules(bands={"cpu": Bands(), "gpu": Bands(85, 80, 92, 86)}, warm_factor=0.3)

    assert replay([81, 86, 93], rules) == [1.0, 0.3, 0.0]


def test_nearness_of_the_slowdown_is_an_emergency():
    """Three degrees below the hardware's own limit all stops for a minute, the call at once."""
    near, cool = Thermometer(87, slowdown_celsius=90), Thermometer(60, slowdown_celsius=90)
    rules = Rules(bands={"cpu": Bands(), "gpu": Bands(95, 90, 99, 92)})

    assert decide_now(decide_heat({}, {"gpu 0": near}, 0, rules), rules=rules).must_cut
    assert replay([near, *[cool] * 14], rules) == [0.0] * 12 + [1.0] * 3


def test_hardware_that_slows_itself_is_an_emergency():
    """Seconds counted by the driver since the last tick stop all; older ones do not."""
    before, same, more = (Thermometer(60, held_down_seconds=s) for s in (40, 40, 45))

    assert replay([before, same]) == [1.0, 1.0]
    assert replay([before, more, *[more] * 13]) == [1.0] + [0.0] * 12 + [1.0] * 2


@pytest.mark.parametrize(
    ("activity", "rules", "expected"),
    [
        (IDLE, Rules(), ("idle", 1.0, (), False)),
        (WORK, Rules(), ("work", 0.5, ("work",), False)),
        (WORK, Rules(work_factor=0), ("work", 0.0, ("work",), True)),
        (GAMING, Rules(), ("gaming", 0.0, ("gaming",), True)),
        (IDLE, Rules(manual_factor=0.2), ("throttling", 0.2, ("manual",), False)),
        (WORK, Rules(manual_factor=0.2), ("throttling", 0.2, ("manual", "work"), False)),
        (GAMING, Rules(manual_factor=0.2), ("gaming", 0.0, ("gaming", "manual"), True)),
        (Activity(is_on_battery=True), Rules(), ("throttling", 0.0, ("battery",), False)),
        (Activity(is_on_battery=True), Rules(battery_factor=1), ("idle", 1.0, (), False)),
    ],
)
def test_least_factor_counts(activity, rules, expected):
    """The factor is the least of all, what limits it is named, and games hide no other mode."""
    verdict = decide_now({}, activity, rules)

    assert expected == (
        verdict.mode, verdict.throttle_factor, verdict.limits, verdict.must_cut
    )  # fmt: skip


def test_all_reasons_are_told():
    """Who wonders why nothing happens reads every reason, the strongest first."""
    heat = decide_heat({}, {"cpu": Thermometer(76)}, 0)

    verdict = decide_now(heat, GAMING)

    assert verdict.reason == "Steam runs app 440; cpu is warm (76 °C)"
    assert (verdict.mode, verdict.limits) == ("gaming", ("gaming", "heat"))


def test_only_what_the_worker_heats_counts():
    """A warm SSD does not slow the worker down; CPU packages and GPUs do."""
    samples = [
        Sample("fleet_cpu_temperature_celsius", {"sensor": "k10temp Tdie"}, 61.0),
        Sample("fleet_temperature_celsius", {"sensor": "nvme Composite"}, 79.0),
        Sample("fleet_gpu_temperature_celsius", {"gpu": "1"}, 64.0),
        Sample("fleet_gpu_throttle_seconds_total", {"gpu": "1", "reason": "power_cap"}, 9.0),
        Sample("fleet_gpu_throttle_seconds_total", {"gpu": "1", "reason": "thermal_hardware"}, 5.0),
        Sample(SLOWDOWN_METRIC, {"gpu": "1"}, 90.0),
    ]

    assert read_thermometers(samples) == {
        "k10temp Tdie": Thermometer(61.0),
        "gpu 1": Thermometer(64.0, slowdown_celsius=90.0, held_down_seconds=5.0),
    }


def test_raspberry_pi_says_that_it_holds_itself_down():
    """Its throttled bit is an emergency of the CPU; a capped frequency or low voltage is not."""
    samples = [
        Sample("fleet_cpu_temperature_celsius", {"sensor": "cpu_thermal"}, 70.0),
        Sample("fleet_pi_throttled_seconds_total", {"reason": "throttled"}, 5.0),
        Sample("fleet_pi_throttled_seconds_total", {"reason": "under_voltage"}, 99.0),
    ]

    assert read_thermometers(samples) == {"cpu_thermal": Thermometer(70.0, None, 5.0)}
