"""
Read the energy that CPU packages use, by RAPL counters.

By hand: `sudo grep . /sys/class/powercap/intel-rapl:?/energy_uj`. Most kernels show them to root
only. Cores and memory inside a package are left out: the package counts them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_exporters.collectors.members import read_each, split_dropped
from fleet_exporters.collectors.sysfs import MICRO, SYS, read_number, read_text
from fleet_exporters.errors import NoDevice
from fleet_exporters.sample import Dropped, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

PLATFORM = "psys"  # the whole board, where the maker has wired it


@dataclass(frozen=True)
class Zone:
    """A counter of joules, and where it begins again."""

    name: str
    joules: float
    range_joules: float


def read_zone(folder: Path) -> Iterator[Zone]:
    """Yield a zone if its counter is for us. Raises SensorError if it fails."""
    name = read_text(folder / "name") or folder.name
    joules = read_number(folder / "energy_uj", MICRO)
    if joules is not None:
        limit = read_number(folder / "max_energy_range_uj", MICRO)
        yield Zone(name, joules, limit or 0.0)


def read_zones(root: Path = SYS) -> list[Zone | Dropped]:
    """Return the top zones. Raises NoDevice where there are none, or none for us."""
    # intel-rapl:0:0 is a part of intel-rapl:0.
    folders = sorted(root.glob("class/powercap/intel-rapl:*"))
    folders = [folder for folder in folders if folder.name.count(":") == 1]
    found = list(read_each(folders, read_zone))
    if not found and folders:
        raise NoDevice(
            f"{folders[0]}/energy_uj is for root only; let the group read it: "
            f"chgrp fleet {folders[0]}/energy_uj && chmod g+r {folders[0]}/energy_uj"
        )
    if not found:
        raise NoDevice("this CPU shows no energy counters (RAPL), or they are hidden from guests")
    return found


def find_growth(before: Zone, after: Zone) -> float:
    """Return joules used between two readings, over at most one wrap."""
    growth = after.joules - before.joules
    return growth if growth >= 0 else max(0.0, growth + after.range_joules)


def choose_power(watts: Mapping[str, float]) -> float:
    """Return the power of the board if it is measured, else of all packages together."""
    return watts.get(PLATFORM, sum(watts.values()))


class Energy:
    """Adds up what the counters grow, so that a wrap is no reset."""

    def __init__(
        self,
        zones: Callable[[], list[Zone | Dropped]] = read_zones,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._zones = zones
        self._clock = clock
        self._before: dict[str, Zone] = {}
        self._read_at = 0.0
        self._used: dict[str, float] = {}
        self._is_whole = True

    def read(self) -> Iterator[Sample | Dropped]:
        """Yield joules since the exporter began by zone, and from the second reading on watts."""
        found, dropped = split_dropped(self._zones())
        now = self._clock()
        yield from dropped
        zones = {each.name: each for each in found}
        elapsed = now - self._read_at
        watts = {}
        for name, zone in zones.items():
            before = self._before.get(name)
            growth = 0.0 if before is None else find_growth(before, zone)
            self._used[name] = self._used.get(name, 0.0) + growth
            if before is not None and elapsed > 0:
                watts[name] = growth / elapsed
            yield Sample("fleet_energy_joules_total", {"zone": name}, self._used[name])
        # The power of a part is not that of the whole.
        was_whole, self._is_whole = self._is_whole, len(zones) == len(found) + len(dropped)
        self._before, self._read_at = {**self._before, **zones}, now
        if watts and was_whole and self._is_whole:
            yield Sample("fleet_power_watts", {}, choose_power(watts))
