"""
Read temperatures: the CPU package by the best sensor of its driver, and everything else.

By hand: `sensors`, or `grep . /sys/class/hwmon/hwmon*/temp*_input`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import psutil

from fleet_exporters.errors import NoDevice
from fleet_exporters.sample import Sample

#: driver -> (label, celsius) pairs, as the kernel lists them
Sensors = Mapping[str, list[tuple[str, float]]]


def read_sensors() -> Sensors:
    """Ask the kernel. Raises NoDevice where psutil knows no sensors (Windows, macOS)."""
    if not hasattr(psutil, "sensors_temperatures"):
        raise NoDevice("this system shows no temperatures to psutil")
    return {
        driver: [(entry.label, entry.current) for entry in entries]
        for driver, entries in psutil.sensors_temperatures().items()
    }


def _choose_amd(sensors: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Prefer Tdie, then the hottest Tccd; Tctl may carry an offset made for fans."""
    dies = [pair for pair in sensors if pair[0].startswith("Tccd")]
    for choice in (
        [pair for pair in sensors if pair[0] == "Tdie"],
        [max(dies, key=lambda pair: pair[1])] if dies else [],
        [pair for pair in sensors if pair[0] == "Tctl"],
    ):
        if choice:
            return choice
    return sensors[:1]


def _choose_intel(sensors: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Take the packages; a core is never hotter than its package says."""
    return [pair for pair in sensors if pair[0].startswith("Package")] or sensors[:1]


def _choose_first(sensors: list[tuple[str, float]]) -> list[tuple[str, float]]:
    return sensors[:1]


# In the order in which they are believed: acpitz is a zone somewhere on the board.
CPU_DRIVERS: dict[str, Callable[[list[tuple[str, float]]], list[tuple[str, float]]]] = {
    "k10temp": _choose_amd,
    "zenpower": _choose_amd,
    "coretemp": _choose_intel,
    "cpu_thermal": _choose_first,
    "cpu-thermal": _choose_first,  # the same, where the kernel shows it as a thermal zone only
    "acpitz": _choose_first,
}

# Read by the GPU families, with the number of the card.
GPU_DRIVERS = ("amdgpu", "radeon", "i915", "xe")


def parse(sensors: Sensors) -> Iterator[Sample]:
    """
    Yield fleet_cpu_temperature_celsius of the best driver, fleet_temperature_celsius of the rest.

    Raises NoDevice when there is no sensor at all, as in most virtual machines.
    """
    sensors = {
        driver: entries
        for driver, entries in sensors.items()
        if entries and driver not in GPU_DRIVERS
    }
    if not sensors:
        raise NoDevice("the kernel shows no temperature sensor; `sensors` shows what there is")
    best = next((driver for driver in CPU_DRIVERS if driver in sensors), None)
    for driver, entries in sensors.items():
        if driver == best:
            name, chosen = "fleet_cpu_temperature_celsius", CPU_DRIVERS[driver](entries)
        elif driver in CPU_DRIVERS and driver != "acpitz":
            continue
        else:
            name, chosen = "fleet_temperature_celsius", entries
        for sensor, celsius in _name_apart(driver, chosen):
            yield Sample(name, {"sensor": sensor}, celsius)


def _name_apart(driver: str, entries: list[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """Yield names that differ: two drives both say `nvme Composite`, the second gets #2."""
    counts: dict[str, int] = {}
    for label, celsius in entries:
        name = f"{driver} {label}".strip()
        counts[name] = counts.get(name, 0) + 1
        yield (name if counts[name] == 1 else f"{name} #{counts[name]}"), celsius


def read() -> Iterator[Sample]:
    """Yield every temperature that the kernel shows, but those of GPUs."""
    return parse(read_sensors())
