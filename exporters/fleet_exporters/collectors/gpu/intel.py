"""
Read Intel GPUs through hwmon, as far as their drivers (i915, xe) show anything there.

By hand: `grep . /sys/class/drm/card*/device/hwmon/*/*`. Utilisation is absent: it takes
performance counters that need root. Graphics inside a CPU have no sensors of their own.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fleet_exporters.collectors.gpu.drm import INTEL, Cards, Files, read_info
from fleet_exporters.collectors.sysfs import MICRO, MILLI, SYS
from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fleet_exporters.sample import Dropped

PACKAGE = "pkg"  # label of the sensor nearest to the whole chip


def find_hwmon(device: Path) -> Path | None:
    """Return the folder of the card's sensors; None for graphics inside a CPU."""
    return next(iter(sorted(device.glob("hwmon/hwmon*"))), None)


def read_celsius(hwmon: Path, files: Files) -> float | None:
    """Return the temperature of the package, else the first that there is."""
    inputs = sorted(hwmon.glob("temp*_input"))
    labels = {
        path: files.text(path.with_name(path.name.replace("input", "label"))) for path in inputs
    }
    return files.number(*sorted(inputs, key=lambda path: labels[path] != PACKAGE), scale=MILLI)


class GpuIntel:
    """Remembers the energy counters: power is their growth."""

    def __init__(self, root: Path = SYS, clock: Callable[[], float] = time.monotonic) -> None:
        self._cards = Cards(root, INTEL, lambda device: find_hwmon(device) is not None)
        self._clock = clock
        self._before: dict[str, tuple[float, float]] = {}

    def read(self) -> Iterator[Sample | Dropped]:
        """Yield what each Intel card tells, numbered after NVIDIA's and AMD's."""
        return self._cards.read(self._read_card)

    def _read_card(self, device: Path, gpu: str, files: Files) -> Iterator[Sample]:
        yield read_info(device, gpu, "Intel", files)
        hwmon = find_hwmon(device) or device / "hwmon"
        joules = files.number(hwmon / "energy1_input", scale=MICRO)
        for name, value in (
            ("fleet_gpu_temperature_celsius", read_celsius(hwmon, files)),
            ("fleet_gpu_power_limit_watts", files.number(hwmon / "power1_max", scale=MICRO)),
            ("fleet_gpu_energy_joules_total", joules),
            ("fleet_gpu_power_watts", self._find_power(gpu, joules)),
        ):
            if value is not None:
                yield Sample(name, {"gpu": gpu}, value)

    def _find_power(self, gpu: str, joules: float | None) -> float | None:
        """Return watts since the last reading; None at the first and after a reset."""
        if joules is None:
            return None
        now = self._clock()
        before, at = self._before.get(gpu, (joules, now))
        self._before[gpu] = joules, now
        return (joules - before) / (now - at) if now > at and joules >= before else None
