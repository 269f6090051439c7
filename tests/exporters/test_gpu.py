"""GPUs as NVML tells of them."""

from __future__ import annotations

import inspect
import re
from types import SimpleNamespace

import pytest
from fake_nvml import FakeNvml, NVMLError
from fleet_exporters.collectors.gpu import nvidia, nvml
from fleet_exporters.collectors.gpu.nvidia import RETRY_FIRST, Gpu
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.reading.family import take
from fleet_exporters.sample import Sample
from fleet_exporters.signals import graphics
from fleet_twin.nvml import Codes

SOURCE = "".join(map(inspect.getsource, (nvidia, nvml, graphics)))


def card(**changes):
    """Return the answers of a healthy card."""
    return {
        "nvmlDeviceGetName": "RTX 4090",
        "nvmlDeviceGetUUID": "GPU-1",
        "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=40, memory=10),
        "nvmlDeviceGetTemperature": 61,
        "nvmlDeviceGetMemoryInfo": lambda version=None: SimpleNamespace(
            used=2_000 if version else 2_600, total=24_000
        ),
        "nvmlDeviceGetPowerUsage": 250_000,
        "nvmlDeviceGetCurrentClocksEventReasons": 0,
        "nvmlDeviceGetTemperatureThreshold": 90,
        "nvmlDeviceGetTotalEnergyConsumption": 5_000,
        "nvmlDeviceGetEnforcedPowerLimit": 450_000,
        "nvmlDeviceGetClockInfo": 2_520,
        "nvmlDeviceGetFanSpeed": 35,
        "nvmlDeviceGetComputeRunningProcesses_v3": ["llama-server"],
    } | changes


def without(*names):
    """Return the answers of a card that lacks some functions."""
    return {name: value for name, value in card().items() if name not in names}


def read(gpu):
    """Return value by metric and label values of one reading."""
    return {(s.name, *s.labels.values()): s.value for s in gpu.read() if isinstance(s, Sample)}


def test_units_are_base_units():
    """NVML counts milliwatts and per cent; samples are watts and ratios."""
    found = read(Gpu(lambda: FakeNvml(card())))

    assert found["fleet_gpu_power_watts", "0"] == 250.0
    assert found["fleet_gpu_utilization_ratio", "0"] == 0.4
    assert found["fleet_gpu_temperature_celsius", "0"] == 61
    assert found["fleet_gpu_info", "0", "RTX 4090", "GPU-1"] == 1
    assert found["fleet_gpu_energy_joules_total", "0"] == 5
    assert found["fleet_gpu_power_limit_watts", "0"] == 450
    assert found["fleet_gpu_clock_hertz", "0"] == 2.52e9
    assert found["fleet_gpu_fan_ratio", "0"] == pytest.approx(0.35)
    assert found["fleet_gpu_processes", "0", "compute"] == 1


def test_what_a_card_lacks_is_absent():
    """A card without a power sensor has no power metric, and all the others."""
    found = read(Gpu(lambda: FakeNvml(without("nvmlDeviceGetPowerUsage"))))

    assert ("fleet_gpu_power_watts", "0") not in found
    assert found["fleet_gpu_memory_used_bytes", "0"] == 2_000


def test_memory_kept_by_the_driver_is_not_used():
    """Used memory is what nvidia-smi shows; where the driver is too old for that, what there is."""

    def answer_as_before(version=None):
        if version:
            raise NVMLError(FakeNvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        return SimpleNamespace(used=2_600, total=24_000)

    new = read(Gpu(lambda: FakeNvml(card())))
    old = read(Gpu(lambda: FakeNvml(card(nvmlDeviceGetMemoryInfo=answer_as_before))))

    assert new["fleet_gpu_memory_used_bytes", "0"] == 2_000
    assert old["fleet_gpu_memory_used_bytes", "0"] == 2_600


def test_margin_is_told_or_is_the_difference():
    """Newer drivers know the distance to slow-down; else it is threshold minus temperature."""
    told = read(Gpu(lambda: FakeNvml(card(nvmlDeviceGetMarginTemperature=27))))
    by_difference = read(Gpu(lambda: FakeNvml(card())))

    assert told["fleet_gpu_temperature_margin_celsius", "0"] == 27
    assert by_difference["fleet_gpu_temperature_margin_celsius", "0"] == 90 - 61
    assert by_difference["fleet_gpu_slowdown_temperature_celsius", "0"] == 90


def test_what_we_may_not_ask_is_absent():
    """Processes are shown to some users only."""
    shy = card(nvmlDeviceGetComputeRunningProcesses_v3=NVMLError(FakeNvml.NVML_ERROR_NO_PERMISSION))

    assert ("fleet_gpu_processes", "0", "compute") not in read(Gpu(lambda: FakeNvml(shy)))


@pytest.mark.parametrize("name", ["Event", "Throttle"])
def test_throttling_is_counted_in_seconds(name):
    """The time between two readings goes to each reason that holds clocks; old drivers too."""
    now = [100.0]
    mask = {f"nvmlDeviceGetCurrentClocks{name}Reasons": 0x40 | 0x04 | 0x01}
    missing = NVMLError(FakeNvml.NVML_ERROR_FUNCTION_NOT_FOUND)
    nvml = FakeNvml(card(nvmlDeviceGetCurrentClocksEventReasons=missing) | mask)
    gpu = Gpu(lambda: nvml, lambda: now[0])

    first, now[0] = read(gpu), 105.0
    second = read(gpu)

    assert first["fleet_gpu_throttle_seconds_total", "0", "thermal_hardware"] == 0
    assert second["fleet_gpu_throttle_seconds_total", "0", "thermal_hardware"] == 5
    assert second["fleet_gpu_throttle_seconds_total", "0", "power_cap"] == 5
    assert second["fleet_gpu_throttle_seconds_total", "0", "power_brake"] == 0


def test_no_gpu_is_no_device():
    """A driver without a card is not a failure."""
    with pytest.raises(NoDevice, match="no GPU"):
        list(Gpu(FakeNvml).read())


def read_partly(gpu):
    """Return value by metric and label values, and what was dropped, with the reason."""
    reading = take(gpu.read, lambda: 0.0)
    values = {(s.name, *s.labels.values()): s.value for s in reading.samples}
    dropped = map(str, reading.dropped)
    return values, "; ".join(dropped) if reading.problem is None else str(reading.problem)


@pytest.mark.parametrize("lost", ["GPU_IS_LOST", "RESET_REQUIRED", "NOT_FOUND", "UNINITIALIZED"])
def test_lost_gpu_leaves_the_others(lost):
    """A card that fell off the bus is told by name; the healthy one is read at every tick."""
    code = getattr(FakeNvml, f"NVML_ERROR_{lost}")
    cards = [card(), card(nvmlDeviceGetUUID="GPU-2")]
    gpu = Gpu(lambda: FakeNvml(*cards), lambda: 0.0)
    read(gpu)
    cards[0]["nvmlDeviceGetTemperature"] = NVMLError(code)

    ticks = [read_partly(gpu) for _ in range(3)]

    for found, dropped in ticks:
        assert f"gpu 0: NVML error {code}" in dropped
        assert (found["fleet_gpu_up", "0"], found["fleet_gpu_up", "1"]) == (0, 1)
        assert found["fleet_gpu_temperature_celsius", "1"] == 61


UNKNOWN = NVMLError(FakeNvml.NVML_ERROR_UNKNOWN)


def test_function_that_fails_is_no_lost_card():
    """Under WSL and on laptops power, fan and processes answer Unknown Error; the rest is read."""
    failing = (
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetFanSpeed",
        "nvmlDeviceGetComputeRunningProcesses_v3",
    )
    gpu = Gpu(lambda: FakeNvml(card(**dict.fromkeys(failing, UNKNOWN))))

    reading = take(gpu.read, lambda: 0.0)
    found = {sample.name: sample.value for sample in reading.samples}

    assert reading.problem is None
    assert found["fleet_gpu_up"] == 1
    assert found["fleet_gpu_temperature_celsius"] == 61
    assert found["fleet_gpu_memory_used_bytes"] == 2_000
    assert "fleet_gpu_power_watts" not in found
    assert {each.what for each in reading.dropped} == {f"gpu 0 {name}" for name in failing}


def test_name_that_cannot_be_decoded_costs_no_card():
    """What pynvml itself raises is that of one function too."""

    def name():
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    odd = card(nvmlDeviceGetName=name)
    found, dropped = read_partly(Gpu(lambda: FakeNvml(odd, card(nvmlDeviceGetUUID="GPU-2"))))

    assert (found["fleet_gpu_up", "0"], found["fleet_gpu_up", "1"]) == (1, 1)
    assert "gpu 0 nvmlDeviceGetName" in dropped


def test_function_that_recovers_is_read_again():
    """Unknown Error is no lack of the card: the function is asked at each reading."""
    answers = card(nvmlDeviceGetPowerUsage=UNKNOWN)
    gpu = Gpu(lambda: FakeNvml(answers))
    read_partly(gpu)
    answers["nvmlDeviceGetPowerUsage"] = 250_000

    found, dropped = read_partly(gpu)

    assert (found["fleet_gpu_power_watts", "0"], dropped) == (250, "")


def test_card_that_answers_nothing_is_lost():
    """A container whose devices were taken away gets Unknown Error from every function."""
    deaf = dict.fromkeys(card(), UNKNOWN) | {"nvmlDeviceGetUUID": "GPU-1"}
    gpu = Gpu(lambda: FakeNvml(deaf, card(nvmlDeviceGetUUID="GPU-2")))
    read(gpu)
    deaf["nvmlDeviceGetUUID"] = UNKNOWN

    found, dropped = read_partly(gpu)

    assert (found["fleet_gpu_up", "0"], found["fleet_gpu_up", "1"]) == (0, 1)
    assert "gpu 0: answers nothing: NVML error 999" in dropped


def test_card_keeps_its_number_when_another_is_gone():
    """After a restart NVML counts the cards anew; a series stays with its card."""
    now, first, second = [0.0], card(), card(nvmlDeviceGetUUID="GPU-2", nvmlDeviceGetTemperature=70)
    loads = [FakeNvml(second), FakeNvml(first, second)]
    gpu = Gpu(loads.pop, lambda: now[0])
    read(gpu)
    first["nvmlDeviceGetName"] = NVMLError(FakeNvml.NVML_ERROR_GPU_IS_LOST)
    read_partly(gpu)

    now[0] = RETRY_FIRST
    found, dropped = read_partly(gpu)

    assert "gpu 0: gone" in dropped
    assert found["fleet_gpu_temperature_celsius", "1"] == 70


def test_restart_ends_what_others_hold_open():
    """NVML ends with its last user only; a lost card would never come back while one stays."""
    now, held = [0.0], FakeNvml(None)
    held.users = 3
    loads = [FakeNvml(card()), held]
    gpu = Gpu(loads.pop, lambda: now[0])
    read_partly(gpu)

    now[0] = RETRY_FIRST
    found = read(gpu)

    assert held.users == 0
    assert found["fleet_gpu_up", "0"] == 1


def test_silent_card_is_lost_from_the_start():
    """A card that cannot be addressed is not left out: it is lost."""
    found, _ = read_partly(Gpu(lambda: FakeNvml(None, card())))

    assert (found["fleet_gpu_up", "0"], found["fleet_gpu_up", "1"]) == (0, 1)


def test_family_is_broken_when_every_card_is_lost():
    """One that answers is enough to keep it up."""
    with pytest.raises(SensorError, match="gpu 0: gone"):
        list(Gpu(lambda: FakeNvml(None)).read())


def test_nvml_is_started_anew_with_growing_pauses():
    """After 30 s, then 60 s, then 120 s, until all cards are there."""
    now, loads = [0.0], []

    def load():
        loads.append(now[0])
        return FakeNvml(None) if len(loads) < 4 else FakeNvml(card())

    gpu = Gpu(load, lambda: now[0])
    while len(loads) < 4:
        if now[0] < 210:
            read_partly(gpu)
        else:
            found = read(gpu)
        now[0] += 10

    assert loads == [0, 30, 90, 210]
    assert found["fleet_gpu_temperature_celsius", "0"] == 61


def test_missing_library_is_no_device():
    """Where the driver's library is not there, NVML is not imported and nothing is broken."""

    def load():
        raise NoDevice("no NVIDIA driver")

    with pytest.raises(NoDevice):
        list(Gpu(load).read())


def test_real_library_has_what_we_ask_for():
    """NVIDIA's own module knows every function and constant that our fake pretends to have."""
    pynvml = pytest.importorskip("pynvml")
    asked = set(re.findall(r"\b(?:nvmlDevice\w+|nvmlInit|nvmlShutdown|NVML_\w+)", SOURCE))

    assert len(asked) > 20
    assert [name for name in sorted(asked) if not hasattr(pynvml, name)] == []


def test_simulated_numbers_are_the_real_ones():
    """What the twin's cards and our fake answer with is what NVIDIA's own module counts."""
    pynvml = pytest.importorskip("pynvml")
    ours = {name: value for name, value in vars(Codes).items() if isinstance(value, int)}

    assert len(ours) > 10
    assert ours == {name: getattr(pynvml, name) for name in ours}
