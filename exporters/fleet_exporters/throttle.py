"""
How fast the worker may run: the least of what heat, owner, battery and a hand allow.

Pure: no clock, no sensor, no file. Heating acts at once; cooling needs the lower threshold and a
minimum stay. Without that gap a machine near a threshold changes its factor several hundred times
an hour.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from fleet_exporters.rules import DEFAULTS, Bands, Rules
from fleet_exporters.sample import Sample, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fleet_exporters.activity import Activity, Signals

DWELL_SECONDS = 30.0  # a level is left downwards only after this stay
EMERGENCY_SECONDS = 60.0
EMERGENCY_MARGIN_CELSIUS = 3.0  # below the temperature at which the hardware slows itself down
STALE_SECONDS = 30.0  # a silent sensor is believed this long, then counted as warm

SLOWDOWN_METRIC = "fleet_gpu_slowdown_temperature_celsius"
HELD_DOWN_METRIC = "fleet_gpu_throttle_seconds_total"
PI_HELD_DOWN_METRIC = "fleet_pi_throttled_seconds_total"


class Level(IntEnum):
    """How hot a device is."""

    OK = 0
    WARM = 1
    HOT = 2
    EMERGENCY = 3


@dataclass(frozen=True)
class Thermometer:
    """What one device says of its heat now."""

    celsius: float
    #: where the hardware slows itself down, if it tells
    slowdown_celsius: float | None = None
    #: how long the hardware has held itself down for heat so far
    held_down_seconds: float = 0.0


@dataclass(frozen=True)
class Heat:
    """The level of one device, since when, and what it said last; times are monotonic seconds."""

    level: Level
    since: float
    celsius: float
    seen_at: float
    held_down_seconds: float = 0.0


@dataclass(frozen=True)
class Limit:
    """One thing that holds the worker back."""

    kind: str
    factor: float
    reason: str
    #: the running call must end now, not with its conversation
    must_cut: bool = False


def is_gpu(sensor: str) -> bool:
    """Tell GPUs from CPU packages by the names that read_thermometers gives them."""
    return sensor.startswith("gpu ")


def read_thermometers(samples: Iterable[Sample]) -> dict[str, Thermometer]:
    """Return by sensor what the worker heats: CPU packages and GPUs."""
    celsius: dict[str, float] = {}
    slowdown: dict[str, float] = {}
    held_down: dict[str, float] = {}
    pi_held_down = 0.0
    for sample in samples:
        labels = sample.labels
        if sample.name == "fleet_cpu_temperature_celsius":
            celsius[labels["sensor"]] = sample.value
        elif sample.name == "fleet_gpu_temperature_celsius":
            celsius[f"gpu {labels['gpu']}"] = sample.value
        elif sample.name == SLOWDOWN_METRIC:
            slowdown[f"gpu {labels['gpu']}"] = sample.value
        elif (sample.name, labels.get("reason")) == (HELD_DOWN_METRIC, "thermal_hardware"):
            held_down[f"gpu {labels['gpu']}"] = sample.value
        elif (sample.name, labels.get("reason")) == (PI_HELD_DOWN_METRIC, "throttled"):
            pi_held_down = sample.value
    held_down |= {sensor: pi_held_down for sensor in celsius if not is_gpu(sensor)}
    return {
        sensor: Thermometer(value, slowdown.get(sensor), held_down.get(sensor, 0.0))
        for sensor, value in celsius.items()
    }


def decide_level(level: Level, celsius: float, stay_seconds: float, bands: Bands) -> Level:
    """Return the next level of a device that has been at `level` for `stay_seconds`."""
    if level is Level.EMERGENCY:
        if stay_seconds < EMERGENCY_SECONDS:
            return level
        level = Level.HOT
    if celsius >= bands.hot:
        return Level.HOT
    if celsius >= bands.warm and level is Level.OK:
        return Level.WARM
    if stay_seconds < DWELL_SECONDS:
        return level
    if level is Level.HOT and celsius <= bands.hot_ends:
        level = Level.WARM
    if level is Level.WARM and celsius <= bands.warm_ends:
        level = Level.OK
    return level


def is_emergency(thermometer: Thermometer, held_down_before: float) -> bool:
    """Tell whether the hardware is about to slow itself down, or has done so just now."""
    slowdown = thermometer.slowdown_celsius
    is_near = slowdown is not None and thermometer.celsius >= slowdown - EMERGENCY_MARGIN_CELSIUS
    return is_near or thermometer.held_down_seconds > held_down_before


def decide_heat(
    before: Mapping[str, Heat],
    thermometers: Mapping[str, Thermometer],
    now: float,
    rules: Rules = DEFAULTS,
) -> dict[str, Heat]:
    """Return the heat of each device, those that have fallen silent included."""
    after = {}
    for sensor, said in thermometers.items():
        # What the hardware did before we looked at it first is no emergency of now.
        held_down = said.held_down_seconds
        old = before.get(sensor, Heat(Level.OK, now, said.celsius, now, held_down))
        bands = rules.bands["gpu" if is_gpu(sensor) else "cpu"]
        if is_emergency(said, old.held_down_seconds):
            level, since = Level.EMERGENCY, now
        else:
            level = decide_level(old.level, said.celsius, now - old.since, bands)
            since = old.since if level is old.level else now
        after[sensor] = Heat(level, since, said.celsius, now, held_down)
    for sensor in before.keys() - thermometers.keys():
        old = before[sensor]
        is_stale = now - old.seen_at > STALE_SECONDS
        level = Level.WARM if is_stale else old.level
        since = old.since if level is old.level else now
        after[sensor] = Heat(level, since, old.celsius, old.seen_at, old.held_down_seconds)
    return after


def limit_by_heat(heat: Mapping[str, Heat], now: float, rules: Rules) -> Limit:
    """Return what the hottest device allows."""
    sensor = max(heat, key=lambda name: (heat[name].level, heat[name].celsius), default=None)
    if sensor is None or heat[sensor].level is Level.OK:
        return Limit("heat", 1.0, "nothing is warm")
    hottest = heat[sensor]
    value = f"{hottest.celsius:.0f} °C" if hottest.seen_at == now else "silent"
    factor = rules.warm_factor if hottest.level is Level.WARM else 0.0
    reason = f"{sensor} is {hottest.level.name.lower()} ({value})"
    return Limit("heat", factor, reason, must_cut=hottest.level is Level.EMERGENCY)


def limit_by_activity(activity: Activity, rules: Rules) -> Limit:
    """Return what the owner's doings allow; a factor of 0 for their sake cuts the running call."""
    factor = {"gaming": 0.0, "work": rules.work_factor, "idle": 1.0}[activity.mode]
    return Limit(activity.mode, factor, activity.reason, must_cut=factor <= 0)


def decide(
    heat: Mapping[str, Heat], activity: Activity, signals: Signals, now: float, rules: Rules
) -> Verdict:
    """
    Return the least of what all allow, and why.

    The mode says gaming even when it is hot as well: games heat, and who looks wants to know that
    the owner plays. Otherwise whatever slows a machine that nobody needs is throttling.
    """
    battery = rules.battery_factor if activity.is_on_battery else 1.0
    owner = limit_by_activity(activity, rules)
    others = [
        limit_by_heat(heat, now, rules),
        Limit("manual", rules.manual_factor, f"held at {rules.manual_factor:.0%} by a setting"),
        Limit("battery", battery, "the machine runs on battery"),
    ]
    throttling = [limit for limit in others if limit.factor < 1]
    in_force = sorted(
        throttling + ([owner] if owner.factor < 1 else []), key=lambda limit: limit.factor
    )
    is_throttled = bool(throttling) and activity.mode != "gaming"
    return Verdict(
        mode="throttling" if is_throttled else activity.mode,
        throttle_factor=in_force[0].factor if in_force else 1.0,
        reason="; ".join(limit.reason for limit in in_force) or activity.reason,
        temperatures={sensor: seen.celsius for sensor, seen in heat.items() if seen.seen_at == now},
        limits=tuple(limit.kind for limit in in_force),
        must_cut=any(limit.must_cut for limit in in_force),
        signals=asdict(signals),
    )
