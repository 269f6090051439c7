"""
How fast the worker may run, decided from heat. Pure: no clock, no sensor, no file.

Heating acts at once; cooling needs the lower threshold and a minimum stay. Without that gap a
machine near a threshold changes its factor several hundred times an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from fleet_exporters.sample import Sample, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DWELL_SECONDS = 30.0  # a level is left downwards only after this stay
STALE_SECONDS = 30.0  # a silent sensor is believed this long, then counted as warm


class Level(IntEnum):
    """How hot a device is."""

    OK = 0
    WARM = 1
    HOT = 2


FACTORS = {Level.OK: 1.0, Level.WARM: 0.6, Level.HOT: 0.0}


@dataclass(frozen=True)
class Bands:
    """Where a level begins and where it ends again; celsius."""

    warm: float = 75
    warm_ends: float = 67
    hot: float = 80
    hot_ends: float = 72


@dataclass(frozen=True)
class Heat:
    """The level of one device, since when, and the last value seen; times are monotonic seconds."""

    level: Level
    since: float
    celsius: float
    seen_at: float


DEFAULT_BANDS = Bands()


def read_temperatures(samples: Iterable[Sample]) -> dict[str, float]:
    """Return celsius by sensor of what the worker heats: CPU packages and GPUs."""
    found = {}
    for sample in samples:
        if sample.name == "fleet_cpu_temperature_celsius":
            found[sample.labels["sensor"]] = sample.value
        elif sample.name == "fleet_gpu_temperature_celsius":
            found[f"gpu {sample.labels['gpu']}"] = sample.value
    return found


def decide_level(level: Level, celsius: float, stay_seconds: float, bands: Bands) -> Level:
    """Return the next level of a device that has been at `level` for `stay_seconds`."""
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


def decide_heat(
    before: Mapping[str, Heat],
    temperatures: Mapping[str, float],
    now: float,
    bands: Bands = DEFAULT_BANDS,
) -> dict[str, Heat]:
    """Return the heat of each device, those that have fallen silent included."""
    after = {}
    for sensor, celsius in temperatures.items():
        old = before.get(sensor, Heat(Level.OK, now, celsius, now))
        level = decide_level(old.level, celsius, now - old.since, bands)
        since = old.since if level is old.level else now
        after[sensor] = Heat(level, since, celsius, now)
    for sensor in before.keys() - temperatures.keys():
        old = before[sensor]
        is_stale = now - old.seen_at > STALE_SECONDS
        level = Level.WARM if is_stale else old.level
        since = old.since if level is old.level else now
        after[sensor] = Heat(level, since, old.celsius, old.seen_at)
    return after


def decide(heat: Mapping[str, Heat], temperatures: Mapping[str, float]) -> Verdict:
    """Return what the hottest device allows: throttling while any is warm or hot, else idle."""
    sensor = max(heat, key=lambda name: (heat[name].level, heat[name].celsius), default=None)
    if sensor is None:
        return Verdict("idle", 1.0, "no temperature sensor", temperatures)
    hottest = heat[sensor]
    factor = FACTORS[hottest.level]
    if factor == 1:
        return Verdict("idle", factor, "nothing to hold back for", temperatures)
    state = hottest.level.name.lower()
    value = f"{hottest.celsius:.0f} °C" if sensor in temperatures else "silent"
    return Verdict("throttling", factor, f"{sensor} is {state} ({value})", temperatures)
