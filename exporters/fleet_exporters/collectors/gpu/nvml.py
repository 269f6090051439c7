"""
NVIDIA's library: loading it, asking it, and what one card says.

By hand: `nvidia-smi -q`. Its Python module is imported only where the driver has put the library:
it is large, and most machines have no GPU.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from typing import TYPE_CHECKING, Any

from fleet_exporters.collectors.members import Failures, explain
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from fleet_exporters.sample import Dropped

LIBRARY = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
THOUSAND = 1000  # NVML counts milliwatts and millijoules
HERTZ_PER_MEGAHERTZ = 1_000_000

# Bits of the clocks-event mask; the other bits are choices (idle, application clocks), not limits.
THROTTLE_REASONS = {
    "power_cap": 0x04,
    "hardware_slowdown": 0x08,
    "thermal_software": 0x20,
    "thermal_hardware": 0x40,
    "power_brake": 0x80,
}
# The second name is the one of drivers before 535.
THROTTLE_FUNCTIONS = (
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
)


def load_nvml() -> ModuleType:
    """Import and start NVML. Raises NoDevice without library, driver or GPU."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError as exc:
        raise NoDevice(f"no NVIDIA driver: {LIBRARY} is not there") from exc
    nvml = importlib.import_module("pynvml")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as exc:
        absent = (nvml.NVML_ERROR_LIBRARY_NOT_FOUND, nvml.NVML_ERROR_DRIVER_NOT_LOADED)
        if exc.value in absent:
            raise NoDevice(f"the NVIDIA driver is not loaded: {exc}") from exc
        raise SensorError(f"NVML does not start: {exc}; see nvidia-smi") from exc
    return nvml


def is_lost(nvml: Any, error: Exception) -> bool:
    """Tell whether NVML says that the card is gone; any other error is that of one function."""
    return getattr(error, "value", None) in (
        nvml.NVML_ERROR_GPU_IS_LOST,
        nvml.NVML_ERROR_RESET_REQUIRED,
        nvml.NVML_ERROR_NOT_FOUND,
        nvml.NVML_ERROR_UNINITIALIZED,
    )


class Card:
    """One GPU: asks NVML, and remembers what this card or driver lacks."""

    def __init__(self, nvml: Any, device: Any, gpu: str) -> None:
        self.gpu = gpu
        self._nvml = nvml
        self._device = device
        self._lacking: set[str] = set()
        self._failures = Failures(f"gpu {gpu}")

    def ask(self, function: str, *arguments: Any) -> Any:
        """
        Return the answer; None where the card lacks the function, or the function fails.

        Raises NVMLError if the card is lost.
        """
        key = " ".join([function, *map(str, arguments)])
        if key in self._lacking:
            return None
        nvml = self._nvml
        try:
            answer = getattr(nvml, function)(self._device, *arguments)
        except Exception as exc:
            if is_lost(nvml, exc):
                raise
            if getattr(exc, "value", None) in (
                nvml.NVML_ERROR_NOT_SUPPORTED,
                nvml.NVML_ERROR_FUNCTION_NOT_FOUND,
                nvml.NVML_ERROR_NO_PERMISSION,
            ):
                self._lacking.add(key)
            else:  # under WSL and on laptops some functions never answer
                self._failures.add(function, explain(exc))
            return None
        self._failures.has_answered = True
        return answer

    def end(self) -> list[Dropped]:
        """Return the functions that have failed; SensorError if none has answered."""
        return self._failures.end()

    def read(self) -> Iterator[Sample]:
        """Yield all that the card tells but its throttling; base units."""
        name = str(self.ask("nvmlDeviceGetName") or "unknown")
        uuid = str(self.ask("nvmlDeviceGetUUID") or "unknown")
        yield Sample("fleet_gpu_info", {"gpu": self.gpu, "name": name, "uuid": uuid}, 1)
        rates = self.ask("nvmlDeviceGetUtilizationRates")
        if rates is not None:
            yield self._sample("fleet_gpu_utilization_ratio", rates.gpu / 100)
        # As nvidia-smi does; the older answer also counts what the driver keeps for itself.
        memory = self.ask("nvmlDeviceGetMemoryInfo", self._nvml.nvmlMemory_v2) or self.ask(
            "nvmlDeviceGetMemoryInfo"
        )
        if memory is not None:
            yield self._sample("fleet_gpu_memory_used_bytes", memory.used)
            yield self._sample("fleet_gpu_memory_total_bytes", memory.total)
        yield from self._read_heat()
        yield from self._read_scaled()
        yield from self._read_processes()

    def _sample(self, name: str, value: float) -> Sample:
        return Sample(name, {"gpu": self.gpu}, value)

    def _read_heat(self) -> Iterator[Sample]:
        """Yield temperature, threshold and margin; the margin by difference if not told."""
        nvml = self._nvml
        celsius = self.ask("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU)
        slowdown = self.ask(
            "nvmlDeviceGetTemperatureThreshold", nvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
        )
        margin = self.ask("nvmlDeviceGetMarginTemperature")
        if margin is None and celsius is not None and slowdown:
            margin = slowdown - celsius
        if celsius is not None:
            yield self._sample("fleet_gpu_temperature_celsius", celsius)
        if slowdown:  # some drivers say 0 for "none"
            yield self._sample("fleet_gpu_slowdown_temperature_celsius", slowdown)
        if margin is not None:
            yield self._sample("fleet_gpu_temperature_margin_celsius", margin)

    def _read_scaled(self) -> Iterator[Sample]:
        """Yield power, energy, clocks and fan."""
        nvml = self._nvml
        for metric, scale, function, *arguments in (
            ("fleet_gpu_power_watts", 1 / THOUSAND, "nvmlDeviceGetPowerUsage"),
            ("fleet_gpu_power_limit_watts", 1 / THOUSAND, "nvmlDeviceGetEnforcedPowerLimit"),
            ("fleet_gpu_energy_joules_total", 1 / THOUSAND, "nvmlDeviceGetTotalEnergyConsumption"),
            ("fleet_gpu_clock_hertz", HERTZ_PER_MEGAHERTZ,
             "nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_GRAPHICS),
            ("fleet_gpu_memory_clock_hertz", HERTZ_PER_MEGAHERTZ,
             "nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_MEM),
            ("fleet_gpu_fan_ratio", 0.01, "nvmlDeviceGetFanSpeed"),
        ):  # fmt: skip
            value = self.ask(function, *arguments)
            if value is not None:
                yield self._sample(metric, value * scale)

    def _read_processes(self) -> Iterator[Sample]:
        # Without _v3 the module raises something of its own where the driver is older than 510.
        for kind, function in (
            ("compute", "nvmlDeviceGetComputeRunningProcesses_v3"),
            ("graphics", "nvmlDeviceGetGraphicsRunningProcesses_v3"),
        ):
            processes = self.ask(function)
            if processes is not None:
                labels = {"gpu": self.gpu, "kind": kind}
                yield Sample("fleet_gpu_processes", labels, len(processes))

    def read_throttling(self) -> dict[str, bool] | None:
        """Return which reasons hold clocks down now; None if the card does not say."""
        for function in THROTTLE_FUNCTIONS:
            mask = self.ask(function)
            if mask is not None:
                return {reason: bool(mask & bit) for reason, bit in THROTTLE_REASONS.items()}
        return None
