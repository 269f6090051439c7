"""
Decide the throttle factor: the minimum of the limits by heat, owner, battery and manual setting.

Pure: no clock, no sensor, no file. A rising temperature acts at once; a falling one must reach the
lower threshold, and the level must have lasted for a minimum time. Without this hysteresis the
factor would change several hundred times an hour near a threshold.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from fleet_exporters.decision.rules import DEFAULTS, Bands, Rules
from fleet_exporters.sample import Sample, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fleet_exporters.decision.activity import Activity, Signals

DWELL_SECONDS = 30.0  # a level is left downwards only after this stay
EMERGENCY_SECONDS = 60.0
EMERGENCY_MARGIN_CELSIUS = 3.0  # below the temperature at which the hardware slows itself down
STALE_SECONDS = (
    30.0  # without a reading the last one holds this long; then the device counts as warm
)

SLOWDOWN_METRIC = "fleet_gpu_slowdown_temperature_celsius"
HELD_DOWN_METRIC = "fleet_gpu_throttle_seconds_total"
PI_HELD_DOWN_METRIC = "fleet_pi_throttled_seconds_total"
UP_METRIC = "fleet_gpu_up"
SLEEPING_METRICS = {"fleet_gpu_info", UP_METRIC}


class Level(IntEnum):
    """How hot a device is."""

    OK = 0
    WARM = 1
    HOT = 2
    EMERGENCY = 3


@dataclass(frozen=True)
class Thermometer:
    """The present temperature of one device."""

    celsius: float
    #: where the hardware slows itself down, if known
    slowdown_celsius: float | None = None
    #: how long the hardware has held itself down for heat so far
    held_down_seconds: float = 0.0


@dataclass(frozen=True)
class Heat:
    """Level of one device, since when, and its last reading; times are monotonic seconds."""

    level: Level
    since: float
    celsius: float
    seen_at: float
    held_down_seconds: float = 0.0


@dataclass(frozen=True)
class Limit:
    """One limit of the worker's speed."""

    kind: str
    factor: float
    reason: str
    #: the running call must end now, not with its conversation
    must_cut: bool = False


def is_gpu(sensor: str) -> bool:
    """Tell GPUs from CPU packages by the names that read_thermometers gives them."""
    return sensor.startswith("gpu ")


def read_thermometers(samples: Iterable[Sample]) -> dict[str, Thermometer]:
    """Return by sensor the devices that the worker heats: CPUs and GPUs."""
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


def find_sleeping(samples: Iterable[Sample]) -> set[str]:
    """Return the GPUs that are there and tell nothing: they sleep, which no hot one does."""
    told: dict[str, set[str]] = {}
    for sample in samples:
        if "gpu" in sample.labels and (sample.value or sample.name != UP_METRIC):
            told.setdefault(sample.labels["gpu"], set()).add(sample.name)
    return {f"gpu {gpu}" for gpu, names in told.items() if names == SLEEPING_METRICS}


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
    """Return the heat of each device, including those without a present reading."""
    after = {}
    for sensor, said in thermometers.items():
        # What the hardware did before the first reading is not an emergency now.
        held_down = said.held_down_seconds
        old = before.get(sensor, Heat(Level.OK, now, said.celsius, now, held_down))
        bands = rules.bands["gpu" if is_gpu(sensor) else "cpu"]
        if is_emergency(said, old.held_down_seconds):
            level, since = Level.EMERGENCY, now
        else:
            level = decide_level(old.level, said.celsius, now - old.since, bands)
            since = old.since if level is old.level else now
        after[sensor] = Heat(level, since, said.celsius, now, held_down)
    silent = before.keys() - thermometers.keys()
    cpus = {sensor for sensor in thermometers if not is_gpu(sensor)}
    if cpus and cpus.isdisjoint(before):
        # A driver was loaded: the CPU is told by another sensor from now on.
        silent = {sensor for sensor in silent if is_gpu(sensor)}
    for sensor in silent:
        old = before[sensor]
        is_stale = now - old.seen_at > STALE_SECONDS
        level = Level.WARM if is_stale else old.level
        since = old.since if level is old.level else now
        after[sensor] = Heat(level, since, old.celsius, old.seen_at, old.held_down_seconds)
    return after


def limit_by_heat(heat: Mapping[str, Heat], now: float, rules: Rules) -> Limit:
    """Return the limit by the hottest device."""
    sensor = max(heat, key=lambda name: (heat[name].level, heat[name].celsius), default=None)
    if sensor is None or heat[sensor].level is Level.OK:
        return Limit("heat", 1.0, "nothing is warm")
    hottest = heat[sensor]
    value = f"{hottest.celsius:.0f} °C" if hottest.seen_at == now else "silent"
    factor = rules.warm_factor if hottest.level is Level.WARM else 0.0
    reason = f"{sensor} is {hottest.level.name.lower()} ({value})"
    return Limit("heat", factor, reason, must_cut=hottest.level is Level.EMERGENCY)


def limit_by_activity(activity: Activity, rules: Rules) -> Limit:
    """Return the limit by the owner's activity; a factor of 0 also cuts the running call."""
    factor = {"gaming": 0.0, "work": rules.work_factor, "idle": 1.0}[activity.mode]
    return Limit(activity.mode, factor, activity.reason, must_cut=factor <= 0)


def decide(
    heat: Mapping[str, Heat], activity: Activity, signals: Signals, now: float, rules: Rules
) -> Verdict:
    """
    Return the minimum of all limits, and the reasons.

    The mode is gaming even if the machine is hot as well: games heat it, and the owner's game is
    what people look for. Otherwise any limit but the owner's work makes the mode throttling.
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
