"""
Read AMD GPUs through sysfs, where their kernel driver (amdgpu) puts what it knows.

By hand: `grep . /sys/class/drm/card*/device/gpu_busy_percent; sensors 'amdgpu-*'`. A card that
sleeps is not asked: reading would wake it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_exporters.collectors.drm import AMD, Cards
from fleet_exporters.collectors.sysfs import SYS, read_first, read_number, read_text
from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MILLI, MICRO = 1e-3, 1e-6
PWM_MAX = 255


def read_info(device: Path, gpu: str, maker: str) -> Sample:
    """Return which card this is: the board's name if it has one, else its PCI device number."""
    number = read_text(device / "device") or "unknown"
    name = read_text(device / "product_name") or f"{maker} GPU {number}"
    uuid = read_text(device / "unique_id") or device.resolve().name
    return Sample("fleet_gpu_info", {"gpu": gpu, "name": name, "uuid": uuid}, 1)


def _read_values(device: Path) -> dict[str, float | None]:
    """Return what the driver shows by metric; hwmon's temp1 is the edge, temp2 the hot spot."""
    hwmon = next(iter(sorted(device.glob("hwmon/hwmon*"))), device / "hwmon")
    powers = [hwmon / "power1_average", hwmon / "power1_input"]
    celsius = read_first([hwmon / "temp1_input", hwmon / "temp2_input"], MILLI)
    slowdown = read_first([hwmon / "temp1_crit", hwmon / "temp2_crit"], MILLI)
    margin = None if celsius is None or not slowdown else slowdown - celsius
    return {
        "fleet_gpu_utilization_ratio": read_number(device / "gpu_busy_percent", 0.01),
        "fleet_gpu_memory_used_bytes": read_number(device / "mem_info_vram_used"),
        "fleet_gpu_memory_total_bytes": read_number(device / "mem_info_vram_total"),
        "fleet_gpu_temperature_celsius": celsius,
        "fleet_gpu_slowdown_temperature_celsius": slowdown or None,
        "fleet_gpu_temperature_margin_celsius": margin,
        "fleet_gpu_power_watts": read_first(powers, MICRO),
        "fleet_gpu_power_limit_watts": read_number(hwmon / "power1_cap", MICRO),
        "fleet_gpu_energy_joules_total": read_number(hwmon / "energy1_input", MICRO),
        "fleet_gpu_clock_hertz": read_number(hwmon / "freq1_input"),
        "fleet_gpu_memory_clock_hertz": read_number(hwmon / "freq2_input"),
        "fleet_gpu_fan_ratio": read_number(hwmon / "pwm1", 1 / PWM_MAX),
    }


def read_card(device: Path, gpu: str) -> Iterator[Sample]:
    """Yield what one card tells; only which it is while it sleeps."""
    yield read_info(device, gpu, "AMD")
    if read_text(device / "power" / "runtime_status") == "suspended":
        return
    for name, value in _read_values(device).items():
        if value is not None:
            yield Sample(name, {"gpu": gpu}, value)


class GpuAmd:
    """Remembers which cards there were."""

    def __init__(self, root: Path = SYS) -> None:
        self._cards = Cards(root, AMD, lambda _: True)

    def read(self) -> Iterator[Sample]:
        """Yield what each AMD card tells, numbered after NVIDIA's."""
        return self._cards.read(read_card)
