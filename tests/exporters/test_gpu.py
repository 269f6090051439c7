"""GPUs as NVML tells of them; NVML is a fake with the real names and error codes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fleet_exporters.collectors.gpu import RETRY_SECONDS, Gpu
from fleet_exporters.errors import NoDevice, SensorError


class NVMLError(Exception):
    """As in pynvml: carries the code of the C library."""

    def __init__(self, value):
        super().__init__(f"NVML error {value}")
        self.value = value


class FakeNvml:
    """One function a reading; what a card lacks raises NOT_SUPPORTED, a lost one GPU_IS_LOST."""

    NVMLError = NVMLError
    NVML_ERROR_NOT_SUPPORTED = 3
    NVML_ERROR_GPU_IS_LOST = 15
    NVML_ERROR_FUNCTION_NOT_FOUND = 13
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *cards):
        self.cards = cards
        self.is_shut_down = False

    def nvmlDeviceGetCount(self):  # noqa: N802
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802
        if self.cards[index] is None:
            raise NVMLError(self.NVML_ERROR_GPU_IS_LOST)
        return self.cards[index]

    def nvmlShutdown(self):  # noqa: N802
        self.is_shut_down = True

    def __getattr__(self, name):
        def ask(card, *_):
            if name not in card:
                raise NVMLError(self.NVML_ERROR_NOT_SUPPORTED)
            return card[name]

        return ask


def card(**changes):
    """Return the answers of a healthy card."""
    return {
        "nvmlDeviceGetName": "RTX 4090",
        "nvmlDeviceGetUUID": "GPU-1",
        "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=40, memory=10),
        "nvmlDeviceGetTemperature": 61,
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=2_000, total=24_000),
        "nvmlDeviceGetPowerUsage": 250_000,
        "nvmlDeviceGetCurrentClocksEventReasons": 0,
    } | changes


def without(*names):
    """Return the answers of a card that lacks some functions."""
    return {name: value for name, value in card().items() if name not in names}


def read(gpu):
    """Return value by metric and label values of one reading."""
    return {(sample.name, *sample.labels.values()): sample.value for sample in gpu.read()}


def test_units_are_base_units():
    """NVML counts milliwatts and per cent; samples are watts and ratios."""
    found = read(Gpu(lambda: FakeNvml(card())))

    assert found["fleet_gpu_power_watts", "0"] == 250.0
    assert found["fleet_gpu_utilization_ratio", "0"] == 0.4
    assert found["fleet_gpu_temperature_celsius", "0"] == 61
    assert found["fleet_gpu_info", "0", "RTX 4090", "GPU-1"] == 1


def test_what_a_card_lacks_is_absent():
    """A card without a power sensor has no power metric, and all the others."""
    found = read(Gpu(lambda: FakeNvml(without("nvmlDeviceGetPowerUsage"))))

    assert ("fleet_gpu_power_watts", "0") not in found
    assert found["fleet_gpu_memory_used_bytes", "0"] == 2_000


def test_throttling_is_counted_in_seconds():
    """The time between two readings is added to each reason that holds clocks down."""
    times = iter([100.0, 100.0, 105.0])
    nvml = FakeNvml(card(nvmlDeviceGetCurrentClocksEventReasons=0x40 | 0x04 | 0x01))
    gpu = Gpu(lambda: nvml, lambda: next(times))

    first, second = read(gpu), read(gpu)

    assert first["fleet_gpu_throttle_seconds_total", "0", "thermal_hardware"] == 0
    assert second["fleet_gpu_throttle_seconds_total", "0", "thermal_hardware"] == 5
    assert second["fleet_gpu_throttle_seconds_total", "0", "power_cap"] == 5
    assert second["fleet_gpu_throttle_seconds_total", "0", "power_brake"] == 0


def test_no_gpu_is_no_device():
    """A driver without a card is not a failure."""
    with pytest.raises(NoDevice, match="no GPU"):
        list(Gpu(FakeNvml).read())


def test_lost_gpu_breaks_the_family_after_the_others():
    """A card that fell off the bus is an error; the readings of the healthy one come first."""
    found = []
    nvml = FakeNvml(None, card())

    with pytest.raises(SensorError, match="gpu 0"):
        found.extend(Gpu(lambda: nvml).read())

    assert "1" in {sample.labels["gpu"] for sample in found}
    assert nvml.is_shut_down


def test_nvml_is_started_anew_after_a_while():
    """After a failure NVML is left alone for half a minute, then loaded again."""
    now = [0.0]
    loads = []

    def load():
        loads.append(now[0])
        return FakeNvml(None) if len(loads) == 1 else FakeNvml(card())

    gpu = Gpu(load, lambda: now[0])
    for _ in range(3):
        with pytest.raises(SensorError):
            list(gpu.read())
        now[0] += RETRY_SECONDS / 3
    found = read(gpu)

    assert loads == [0.0, RETRY_SECONDS]
    assert found["fleet_gpu_temperature_celsius", "0"] == 61


def test_missing_library_is_no_device():
    """Where the driver's library is not there, NVML is not imported and nothing is broken."""

    def load():
        raise NoDevice("no NVIDIA driver")

    with pytest.raises(NoDevice):
        list(Gpu(load).read())
