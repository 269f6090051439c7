"""
Read AMD GPUs through sysfs, where their kernel driver (amdgpu) puts what it knows.

By hand: `grep . /sys/class/drm/card*/device/gpu_busy_percent; sensors 'amdgpu-*'`. A card that
sleeps is not asked: reading would wake it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_exporters.collectors.gpu.drm import AMD, Cards, Files, read_info
from fleet_exporters.collectors.sysfs import MICRO, MILLI, SYS
from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fleet_exporters.sample import Dropped

PWM_MAX = 255


def _read_values(device: Path, files: Files) -> dict[str, float | None]:
    """Return what the driver shows by metric; hwmon's temp1 is the edge, temp2 the hot spot."""
    hwmon = next(iter(sorted(device.glob("hwmon/hwmon*"))), device / "hwmon")
    read = files.number
    celsius = read(hwmon / "temp1_input", hwmon / "temp2_input", scale=MILLI)
    slowdown = read(hwmon / "temp1_crit", hwmon / "temp2_crit", scale=MILLI)
    watts = read(hwmon / "power1_average", hwmon / "power1_input", scale=MICRO)
    margin = None if celsius is None or not slowdown else slowdown - celsius
    return {
        "fleet_gpu_utilization_ratio": read(device / "gpu_busy_percent", scale=0.01),
        "fleet_gpu_memory_used_bytes": read(device / "mem_info_vram_used"),
        "fleet_gpu_memory_total_bytes": read(device / "mem_info_vram_total"),
        "fleet_gpu_temperature_celsius": celsius,
        "fleet_gpu_slowdown_temperature_celsius": slowdown or None,
        "fleet_gpu_temperature_margin_celsius": margin,
        "fleet_gpu_power_watts": watts,
        "fleet_gpu_power_limit_watts": read(hwmon / "power1_cap", scale=MICRO),
        "fleet_gpu_energy_joules_total": read(hwmon / "energy1_input", scale=MICRO),
        "fleet_gpu_clock_hertz": read(hwmon / "freq1_input"),
        "fleet_gpu_memory_clock_hertz": read(hwmon / "freq2_input"),
        "fleet_gpu_fan_ratio": read(hwmon / "pwm1", scale=1 / PWM_MAX),
    }


def read_card(device: Path, gpu: str, files: Files) -> Iterator[Sample]:
    """Yield what one card tells; only which it is while it sleeps."""
    yield read_info(device, gpu, "AMD", files)
    if files.text(device / "power" / "runtime_status") == "suspended":
        return
    for name, value in _read_values(device, files).items():
        if value is not None:
            yield Sample(name, {"gpu": gpu}, value)


class GpuAmd:
    """Remembers which cards there were."""

    def __init__(self, root: Path = SYS) -> None:
        self._cards = Cards(root, AMD, lambda _: True)

    def read(self) -> Iterator[Sample | Dropped]:
        """Yield what each AMD card tells, numbered after NVIDIA's."""
        return self._cards.read(read_card)
