"""
Choose the CPU's temperature among all that the kernel shows. Pure.

Drivers of the CPU itself come first; boards without one show it by a label of their monitoring
chip, or as a thermal zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

#: (label, celsius) of one driver, as the kernel lists them
Entries = list[tuple[str, float]]

# Read by the GPU families, with the number of the card.
GPU_DRIVERS = ("amdgpu", "radeon", "i915", "xe")

# The nearest to the CPU first: boards (dell_smm, thinkpad, asus_ec, nct6775 …) name it so.
CPU_LABELS = (
    "CPU Package", "CPU", "CPU Temperature", "CPU Temp", "CPUTIN", "PECI Agent 0", "TSI0_TEMP",
    "SMBUSMASTER 0",
)  # fmt: skip


def _choose_amd(entries: Entries) -> Entries:
    """Prefer Tdie, then the hottest die, then Tctl, which may carry an offset made for fans."""
    dies = [pair for pair in entries if pair[0].startswith("Tccd")]
    for choice in (
        [pair for pair in entries if pair[0] == "Tdie"],
        # One name for all, since a sensor that falls silent counts as warm.
        [("Tccd", max(celsius for _, celsius in dies))] if dies else [],
        [pair for pair in entries if pair[0] == "Tctl"],
    ):
        if choice:
            return choice
    return entries[:1]


def _choose_intel(entries: Entries) -> Entries:
    """Take the packages; a core is never hotter than its package says."""
    return [pair for pair in entries if pair[0].startswith("Package")] or entries[:1]


def _choose_first(entries: Entries) -> Entries:
    return entries[:1]


Choose = Callable[[Entries], Entries]

# Drivers of the CPU itself, in the order in which they are believed; what else they show are parts.
CPU_DRIVERS: tuple[tuple[str, Choose], ...] = (
    ("k10temp|zenpower", _choose_amd),
    ("coretemp", _choose_intel),
    ("cpu_thermal", _choose_first),  # Raspberry Pi and most ARM boards
    (r"(cpu|bigcore|littlecore)\w*_thermal", _choose_first),  # one zone a cluster
    ("x86_pkg_temp", _choose_first),
)
# What stands for the CPU where no driver and no label does: acpitz is somewhere on the board.
SUBSTITUTES = (r"soc\w*_thermal", r"thinkpad|dell_smm|it8\w+|f71\w+|f8\w+", "acpitz")


def choose_cpu(sensors: Mapping[str, Entries]) -> tuple[Entries, Entries]:
    """Return (name, celsius) of what is the CPU's, and of all else."""
    chosen = _choose_driver(sensors) or _choose_label(sensors) or _choose_substitute(sensors)
    others: Entries = []
    for driver, entries in sensors.items():
        if any(re.fullmatch(pattern, driver) for pattern, _ in CPU_DRIVERS):
            continue  # its parts, or the same once more
        rest = list(entries)
        for pair in chosen.get(driver, ()):
            rest.remove(pair)
        others += _name(driver, rest)
    return [pair for driver, found in chosen.items() for pair in _name(driver, found)], others


def _choose_driver(sensors: Mapping[str, Entries]) -> dict[str, Entries]:
    for pattern, choose in CPU_DRIVERS:
        found = [driver for driver in sensors if re.fullmatch(pattern, driver)]
        if found:
            return {driver: choose(sensors[driver]) for driver in found}
    return {}


def _choose_label(sensors: Mapping[str, Entries]) -> dict[str, Entries]:
    for label in CPU_LABELS:
        for driver, entries in sensors.items():
            for pair in entries:
                if pair[0] == label:
                    return {driver: [pair]}
    return {}


def _choose_substitute(sensors: Mapping[str, Entries]) -> dict[str, Entries]:
    for pattern in SUBSTITUTES:
        for driver, entries in sensors.items():
            if re.fullmatch(pattern, driver):
                return {driver: entries[:1]}
    return {}


def name_sensor(driver: str, label: str) -> str:
    """Return the driver, and the label if there is one."""
    return f"{driver} {label}".strip()


def _name(driver: str, entries: Entries) -> Entries:
    return [(name_sensor(driver, label), celsius) for label, celsius in entries]
