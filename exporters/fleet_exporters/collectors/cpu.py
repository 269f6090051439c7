"""
Read the CPU: seconds by mode, busy share, clock, load.

By hand: `head -1 /proc/stat`, `cat /proc/loadavg`,
`cat /sys/devices/system/cpu/cpufreq/policy*/scaling_cur_freq`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from fleet_exporters.collectors.members import read_each, split_dropped
from fleet_exporters.collectors.sysfs import read_number
from fleet_exporters.sample import Dropped, Sample

CPUFREQ = Path("/sys/devices/system/cpu/cpufreq")
POLICIES_MAX = 8  # each read may wake a core; eight tell enough of a machine with 128
KILOHERTZ = 1000.0
LOADS = ("fleet_load_1m", "fleet_load_5m", "fleet_load_15m")

# Already inside user and nice, so that counting them again would count guests twice.
_GUEST = ("guest", "guest_nice")
_IDLE = ("idle", "iowait")

Times = Mapping[str, float]


def read_times() -> Times:
    """Return seconds by mode since boot, all CPUs together."""
    return psutil.cpu_times()._asdict()


def read_load() -> Sequence[float]:
    """Return the load of 1, 5 and 15 minutes; nothing where the system has none (Windows)."""
    return os.getloadavg() if hasattr(os, "getloadavg") else ()


def find_frequency_files(root: Path = CPUFREQ) -> list[Path]:
    """Return one file per frequency domain; none in most virtual machines."""
    return sorted(root.glob("policy*/scaling_cur_freq"))[:POLICIES_MAX]


def read_frequency(path: Path) -> Iterator[float]:
    """Yield the clock of a domain in hertz, if it says one; the kernel writes kilohertz."""
    hertz = read_number(path, KILOHERTZ)
    if hertz is not None:
        yield hertz


def parse_utilization(before: Times, after: Times) -> float | None:
    """Return the busy share between two readings, or None if no time went by."""
    spent = {mode: after[mode] - before.get(mode, 0) for mode in after if mode not in _GUEST}
    total = sum(spent.values())
    if total <= 0:
        return None
    idle = sum(spent.get(mode, 0) for mode in _IDLE)
    # iowait may run backwards by a tick on some kernels.
    return min(1.0, max(0.0, 1 - idle / total))


class Cpu:
    """Remembers the last CPU times: a share needs two readings."""

    def __init__(
        self,
        times: Callable[[], Times] = read_times,
        load: Callable[[], Sequence[float]] = read_load,
        frequency_files: list[Path] | None = None,
        frequency: Callable[[Path], Iterator[float]] = read_frequency,
    ) -> None:
        self._times = times
        self._frequency = frequency
        self._load = load
        self._files = find_frequency_files() if frequency_files is None else frequency_files
        self._before: Times | None = None

    def read(self) -> Iterator[Sample | Dropped]:
        """Yield times, load, clock, and from the second reading on utilisation; what there is."""
        now = self._times()
        ratio = None if self._before is None else parse_utilization(self._before, now)
        self._before = now
        for mode, seconds in now.items():
            if mode not in _GUEST:
                yield Sample("fleet_cpu_seconds_total", {"mode": mode}, seconds)
        for name, load in zip(LOADS, self._load(), strict=False):
            yield Sample(name, {}, load)
        if ratio is not None:
            yield Sample("fleet_cpu_utilization_ratio", {}, ratio)
        clocks, dropped = split_dropped(read_each(self._files, self._frequency))
        yield from dropped
        if clocks:
            yield Sample("fleet_cpu_frequency_hertz", {}, sum(clocks) / len(clocks))
