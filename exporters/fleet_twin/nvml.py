"""
NVIDIA's library over simulated cards: the functions, constants and errors that the exporter uses.

What is not here is what such a card lacks. Names are NVML's own.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet_exporters.collectors.gpu.nvml import THROTTLE_REASONS

from fleet_twin import faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_twin.machine.simulation import Machine

PERCENT = 100
THOUSAND = 1000  # NVML counts milliwatts and millijoules
MEGA = 1_000_000
POWER_WANDERS = 0.02  # of what a card draws, from one moment to the next


class NVMLError(Exception):
    """Carries the code of the C library."""

    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


@dataclass(frozen=True)
class Rates:
    """Percent of time in which a kernel ran."""

    gpu: int


@dataclass(frozen=True)
class MemoryInfo:
    """Bytes of a card."""

    used: int
    total: int


class Codes:
    """Numbers of NVML. Its own module has them too, and takes 18 MB of memory."""

    NVMLError = NVMLError
    NVML_ERROR_UNINITIALIZED = 1
    NVML_ERROR_NOT_SUPPORTED = 3
    NVML_ERROR_NO_PERMISSION = 4
    NVML_ERROR_NOT_FOUND = 6
    NVML_ERROR_FUNCTION_NOT_FOUND = 13
    NVML_ERROR_GPU_IS_LOST = 15
    NVML_ERROR_RESET_REQUIRED = 16
    NVML_TEMPERATURE_GPU = 0
    NVML_TEMPERATURE_THRESHOLD_SLOWDOWN = 1
    NVML_CLOCK_GRAPHICS = 0
    NVML_CLOCK_MEM = 2
    nvmlMemory_v2 = 33554472  # noqa: N815 - its real name


class SimulatedNvml(Codes):
    """As the module pynvml; a handle is the number of a card."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._is_open = True
        self._answers: dict[str, Callable[..., Any]] = {
            "nvmlDeviceGetName": lambda card: machine.kind.cards[card].name,
            "nvmlDeviceGetUUID": self._read_uuid,
            "nvmlDeviceGetUtilizationRates": lambda card: Rates(
                round(machine.card_loads[card] * PERCENT)
            ),
            "nvmlDeviceGetMemoryInfo": lambda card, _: MemoryInfo(
                int(machine.vram_used[card]), machine.kind.cards[card].memory_bytes
            ),
            "nvmlDeviceGetTemperature": lambda card, _: round(machine.cards[card].celsius),
            "nvmlDeviceGetTemperatureThreshold": lambda card, _: round(
                machine.kind.cards[card].slowdown_celsius
            ),
            "nvmlDeviceGetPowerUsage": lambda card: round(
                machine.cards[card].watts * (1 + POWER_WANDERS * machine.drift) * THOUSAND
            ),
            "nvmlDeviceGetEnforcedPowerLimit": lambda card: round(
                machine.kind.cards[card].power_limit_watts * THOUSAND
            ),
            "nvmlDeviceGetTotalEnergyConsumption": lambda card: round(
                machine.card_joules[card] * THOUSAND
            ),
            "nvmlDeviceGetClockInfo": self._read_clock,
            "nvmlDeviceGetFanSpeed": lambda card: round(machine.cards[card].fan_ratio * PERCENT),
            "nvmlDeviceGetComputeRunningProcesses_v3": self._list_compute,
            "nvmlDeviceGetGraphicsRunningProcesses_v3": self._list_graphics,
            "nvmlDeviceGetCurrentClocksEventReasons": self._read_reasons,
        }

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        """Return how many cards there are, lost ones included."""
        return len(self._machine.kind.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        """Return the handle of a card; an error while it is lost."""
        self._require(index)
        return index

    def nvmlShutdown(self) -> None:  # noqa: N802
        """Close; an error the second time."""
        if not self._is_open:
            raise NVMLError(self.NVML_ERROR_UNINITIALIZED)
        self._is_open = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a function of a card."""
        answer = self.__dict__["_answers"].get(name)

        def ask(card: int, *arguments: Any) -> Any:
            self._require(card)
            if answer is None:
                raise NVMLError(self.NVML_ERROR_NOT_SUPPORTED)
            return answer(card, *arguments)

        return ask

    def _require(self, card: int) -> None:
        if card == 0 and self._machine.has(faults.GPU_LOST):
            raise NVMLError(self.NVML_ERROR_GPU_IS_LOST)

    def _read_uuid(self, card: int) -> str:
        made = uuid.uuid5(uuid.NAMESPACE_DNS, f"{self._machine.owner.seed} {card}")
        return f"GPU-{made}"

    def _read_clock(self, card: int, which: int) -> int:
        known = self._machine.kind.cards[card]
        if which == self.NVML_CLOCK_MEM:
            return round(known.memory_clock_hertz / MEGA)
        busy = 0.15 + 0.85 * min(1.0, 2 * self._machine.card_loads[card])
        return round(known.clock_hertz * self._machine.cards[card].clock_ratio * busy / MEGA)

    def _list_compute(self, _: int) -> list[int]:
        is_used = self._machine.is_model_loaded and self._machine.computes_on_card
        return [1] if is_used else []

    def _list_graphics(self, card: int) -> list[int]:
        return [] if card else [1, 2] if self._machine.doing == "game" else [1]

    def _read_reasons(self, card: int) -> int:
        heat, reasons = self._machine.cards[card], 0
        if heat.is_throttled:
            reasons |= THROTTLE_REASONS["thermal_software"]
        if heat.celsius >= self._machine.kind.cards[card].slowdown_celsius:
            reasons |= THROTTLE_REASONS["thermal_hardware"]
        return reasons
