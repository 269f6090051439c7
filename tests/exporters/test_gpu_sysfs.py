"""AMD's and Intel's cards as their kernel drivers show them; see fixtures/README.md."""

from __future__ import annotations

import shutil

import pytest
from fake_sysfs import break_file
from fleet_exporters.collectors.gpu.amd import GpuAmd
from fleet_exporters.collectors.gpu.intel import GpuIntel
from fleet_exporters.decision.verdict import Decider
from fleet_exporters.errors import NoDevice
from fleet_exporters.reading.family import take
from fleet_exporters.reading.sampler import Sampler
from fleet_exporters.sample import Dropped, Sample


def values(samples):
    """Return value by metric and label values."""
    return {(s.name, *s.labels.values()): s.value for s in samples if isinstance(s, Sample)}


def test_amd_is_in_base_units_and_numbered_after_nvidia(sysfs):
    """Thousandths and millionths become celsius and watts; NVML has number 0."""
    found = values(GpuAmd(sysfs("amd")).read())
    info = ("fleet_gpu_info", "1", "Radeon RX 7900 XTX", "8e1f2a3b4c5d6e7f")
    card = {key[0]: value for key, value in found.items() if key[1:] == ("1",)}

    assert found[info] == 1
    assert card == {
        "fleet_gpu_utilization_ratio": 0.73,
        "fleet_gpu_memory_used_bytes": 8589934592,
        "fleet_gpu_memory_total_bytes": 25753026560,
        "fleet_gpu_temperature_celsius": 61,
        "fleet_gpu_slowdown_temperature_celsius": 100,
        "fleet_gpu_temperature_margin_celsius": 39,
        "fleet_gpu_power_watts": 287,
        "fleet_gpu_power_limit_watts": 339,
        "fleet_gpu_clock_hertz": 2.304e9,
        "fleet_gpu_memory_clock_hertz": 1.249e9,
        "fleet_gpu_fan_ratio": 0.4,
        "fleet_gpu_up": 1,
    }


def test_sleeping_card_is_not_woken(sysfs):
    """It says only that it is there."""
    found = values(GpuAmd(sysfs("amd")).read())

    assert {key[0] for key in found if key[1] == "2"} == {"fleet_gpu_info", "fleet_gpu_up"}


def run(family, happens):
    """Return mode and factor a minute after something has happened to a card that was read."""
    sampler, clock = Sampler({"gpu_amd": family.read}), iter(range(0, 65, 5))
    decider = Decider(clock=lambda: next(clock))
    decider.decide(sampler.sample())
    happens()
    verdicts = [decider.decide(sampler.sample()) for _ in range(12)]
    return verdicts[-1].mode, verdicts[-1].throttle_factor


@pytest.mark.parametrize(
    ("happens", "expected"),
    [
        (lambda card: (card / "power/runtime_status").write_text("suspended"), ("idle", 1.0)),
        (shutil.rmtree, ("throttling", 0.6)),
        (lambda card: (card / "hwmon/hwmon4/temp1_input").unlink(), ("throttling", 0.6)),
    ],
    ids=["sleeps", "lost", "thermometer-lost"],
)
def test_sleeping_card_slows_nothing_down(sysfs, happens, expected):
    """A card that falls asleep is not hot; one that is lost, or cannot be measured, counts so."""
    root = sysfs("amd")
    card = root / "bus/pci/devices/0000:03:00.0"
    (card / "hwmon/hwmon4/temp2_input").unlink()

    assert run(GpuAmd(root), lambda: happens(card)) == expected


def test_lost_amd_card_keeps_its_number(sysfs):
    """A card that is pulled out is lost; the other is read under the number that it had."""
    root = sysfs("amd")
    family = GpuAmd(root)
    list(family.read())
    shutil.rmtree(root / "bus/pci/devices/0000:03:00.0")

    found = list(family.read())

    assert find_ups(found) == {"1": 0, "2": 1}
    assert [each for each in found if isinstance(each, Dropped)] == [
        Dropped("gpu 1 at 0000:03:00.0", "gone")
    ]


def find_ups(items):
    """Return which cards are up, by number."""
    return {
        item.labels["gpu"]: item.value
        for item in items
        if isinstance(item, Sample) and item.name == "fleet_gpu_up"
    }


CARD = "bus/pci/devices/0000:03:00.0"


def test_file_that_fails_is_no_lost_card(sysfs):
    """One sensor of a card that answers with an error costs no other."""
    root = sysfs("amd")
    break_file(root / CARD / "gpu_busy_percent")

    found = list(GpuAmd(root).read())

    assert find_ups(found) == {"1": 1, "2": 1}
    assert values(found)["fleet_gpu_temperature_celsius", "1"] == 61
    assert [each.what for each in found if isinstance(each, Dropped)] == ["gpu 1 gpu_busy_percent"]


def test_card_without_a_maker_leaves_the_others(sysfs):
    """A card that does not even say whose it is hides no other."""
    root = sysfs("amd")
    break_file(root / "bus/pci/devices/0000:0c:00.0/vendor")

    assert find_ups(GpuAmd(root).read()) == {"1": 1}


def test_family_is_broken_when_its_only_card_answers_nothing(sysfs):
    """All sensors of a card that hangs fail; its PCI number may still be there."""
    root = sysfs("intel")
    for file in (root / CARD / "hwmon/hwmon2").glob("*_*"):
        break_file(file)

    reading = take(GpuIntel(root).read, lambda: 0.0)

    assert find_ups(reading.samples) == {"0": 0}
    assert "gpu 0 at 0000:03:00.0: answers nothing" in str(reading.problem)


def test_intel_power_is_the_growth_of_its_energy(sysfs):
    """The driver counts energy; the first reading has no power, and utilisation is absent."""
    root, now = sysfs("intel"), [0.0]
    family = GpuIntel(root, lambda: now[0])
    first = values(family.read())
    file = root / "bus/pci/devices/0000:03:00.0/hwmon/hwmon2/energy1_input"
    file.write_text("4700000000")
    now[0] = 5.0
    second = values(family.read())

    assert ("fleet_gpu_power_watts", "0") not in first
    assert second["fleet_gpu_power_watts", "0"] == pytest.approx(100)
    assert second["fleet_gpu_energy_joules_total", "0"] == pytest.approx(4700)
    assert second["fleet_gpu_temperature_celsius", "0"] == 54
    assert ("fleet_gpu_utilization_ratio", "0") not in second


def test_graphics_inside_a_cpu_are_no_gpu(sysfs):
    """They have no sensors: only the card beside them is told of."""
    found = values(GpuIntel(sysfs("intel")).read())

    assert {key[1] for key in found} == {"0"}


@pytest.mark.parametrize("family", [GpuAmd, GpuIntel])
def test_no_card_is_no_device(family, tmp_path):
    """A machine without such a card is not broken."""
    with pytest.raises(NoDevice):
        list(family(tmp_path).read())
