"""
Read NVIDIA GPUs through NVML.

By hand: `nvidia-smi -q`. The library's Python module is imported only where the driver has put
the library: it is large, and most machines have no GPU.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
import time
from typing import TYPE_CHECKING, Any

from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

LIBRARY = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
MILLIWATTS_PER_WATT = 1000
RETRY_SECONDS = 30.0  # starting NVML anew can take a second: not at each tick

# Bits of the clocks-event mask; the other bits are choices (idle, application clocks), not limits.
THROTTLE_REASONS = {
    "power_cap": 0x04,
    "hardware_slowdown": 0x08,
    "thermal_software": 0x20,
    "thermal_hardware": 0x40,
    "power_brake": 0x80,
}


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
        raise SensorError(f"NVML does not start: {exc}; nvidia-smi says more") from exc
    return nvml


class Gpu:
    """Keeps NVML open between ticks and adds up how long clocks were held down."""

    def __init__(
        self,
        load: Callable[[], Any] = load_nvml,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._clock = clock
        self._nvml: Any = None
        self._failure: Exception | None = None
        self._retry_at = -1.0
        self._read_at: float | None = None
        self._throttled: dict[tuple[str, str], float] = {}

    def read(self) -> Iterator[Sample]:
        """
        Yield what each GPU tells, ordered by index.

        Raises NoDevice without a GPU; SensorError after the readings of the others, if one is lost.
        """
        nvml = self._open()
        now = self._clock()
        elapsed = 0.0 if self._read_at is None else now - self._read_at
        self._read_at = now
        lost = []
        try:
            count = nvml.nvmlDeviceGetCount()
        except nvml.NVMLError as exc:
            raise self._give_up(f"NVML does not answer: {exc}") from exc
        if count == 0:
            raise NoDevice("NVML found no GPU")
        for index in range(count):
            try:
                device = nvml.nvmlDeviceGetHandleByIndex(index)
                yield from _read_device(nvml, device, str(index))
                yield from self._read_throttling(device, str(index), elapsed)
            except nvml.NVMLError as exc:
                lost.append(f"gpu {index}: {exc}")
        if lost:
            raise self._give_up("; ".join(lost))

    def _open(self) -> Any:
        """Return NVML, started if need be; a failed start is tried again after RETRY_SECONDS."""
        if self._nvml is None:
            if self._failure is not None and self._clock() < self._retry_at:
                raise self._failure.with_traceback(None)
            self._retry_at = self._clock() + RETRY_SECONDS
            try:
                self._nvml = self._load()
            except (NoDevice, SensorError) as exc:
                self._failure = exc
                raise
            self._failure = None
        return self._nvml

    def _give_up(self, message: str) -> SensorError:
        """Close NVML, so that a later tick starts it anew, and return what to raise."""
        nvml, self._nvml = self._nvml, None
        self._failure = SensorError(f"{message}; nvidia-smi says more")
        self._retry_at = self._clock() + RETRY_SECONDS
        try:
            nvml.nvmlShutdown()
        except nvml.NVMLError as exc:
            self._failure.add_note(f"NVML did not shut down either: {exc}")
        return self._failure

    def _read_throttling(self, device: Any, gpu: str, elapsed: float) -> Iterator[Sample]:
        mask = _ask(self._nvml, "nvmlDeviceGetCurrentClocksEventReasons", device)
        if mask is None:
            return
        for reason, bit in THROTTLE_REASONS.items():
            seconds = self._throttled.get((gpu, reason), 0.0) + (elapsed if mask & bit else 0.0)
            self._throttled[gpu, reason] = seconds
            labels = {"gpu": gpu, "reason": reason}
            yield Sample("fleet_gpu_throttle_seconds_total", labels, seconds)


def _ask(nvml: Any, function: str, *arguments: Any) -> Any:
    """Call NVML; None where this card or driver lacks the function."""
    try:
        return getattr(nvml, function)(*arguments)
    except nvml.NVMLError as exc:
        if exc.value in (nvml.NVML_ERROR_NOT_SUPPORTED, nvml.NVML_ERROR_FUNCTION_NOT_FOUND):
            return None
        raise


def _read_device(nvml: Any, device: Any, gpu: str) -> Iterator[Sample]:
    """Yield identity, utilisation, temperature (celsius), memory (bytes) and power (watts)."""
    labels = {"gpu": gpu}
    name = str(_ask(nvml, "nvmlDeviceGetName", device) or "unknown")
    uuid = str(_ask(nvml, "nvmlDeviceGetUUID", device) or "unknown")
    yield Sample("fleet_gpu_info", {"gpu": gpu, "name": name, "uuid": uuid}, 1)
    rates = _ask(nvml, "nvmlDeviceGetUtilizationRates", device)
    if rates is not None:
        yield Sample("fleet_gpu_utilization_ratio", labels, rates.gpu / 100)
    celsius = _ask(nvml, "nvmlDeviceGetTemperature", device, nvml.NVML_TEMPERATURE_GPU)
    if celsius is not None:
        yield Sample("fleet_gpu_temperature_celsius", labels, celsius)
    memory = _ask(nvml, "nvmlDeviceGetMemoryInfo", device)
    if memory is not None:
        yield Sample("fleet_gpu_memory_used_bytes", labels, memory.used)
        yield Sample("fleet_gpu_memory_total_bytes", labels, memory.total)
    milliwatts = _ask(nvml, "nvmlDeviceGetPowerUsage", device)
    if milliwatts is not None:
        yield Sample("fleet_gpu_power_watts", labels, milliwatts / MILLIWATTS_PER_WATT)
