"""Sensor families: what they make of what the system says."""

from __future__ import annotations

import json
import subprocess

import fleet_timescale
import pytest
from fleet_exporters.collectors import disk, memory
from fleet_exporters.collectors.cpu import Cpu, find_frequency_files, parse_utilization
from fleet_exporters.collectors.disk import Disk, Mount
from fleet_exporters.collectors.memory import Memory
from fleet_exporters.collectors.node_info import NodeInfo, parse_cpu_model


def values(samples):
    """Return value by metric and label values."""
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def test_utilization_leaves_idle_and_guests_out():
    """Waiting for a disk is idle time; time of guests is already inside user time."""
    before = {"user": 10, "system": 5, "idle": 100, "iowait": 2, "guest": 4}
    after = {"user": 30, "system": 10, "idle": 170, "iowait": 7, "guest": 24}

    assert pytest.approx(0.25) == parse_utilization(before, after)


def test_utilization_of_no_time_is_unknown():
    """Two readings at one moment say nothing."""
    times = {"user": 1.0, "idle": 1.0}

    assert parse_utilization(times, times) is None


def test_cpu_has_no_utilization_at_first():
    """The first reading has nothing to compare with: the metric is absent, not 0."""
    times = iter([{"user": 0.0, "idle": 0.0}, {"user": 1.0, "idle": 3.0}])
    cpu = Cpu(lambda: next(times), tuple, [])

    first, second = values(cpu.read()), values(cpu.read())

    assert ("fleet_cpu_utilization_ratio",) not in first
    assert second["fleet_cpu_utilization_ratio",] == 0.25


def test_cpu_times_leave_guests_out():
    """Time of guests is already inside user time; it would be counted twice."""
    cpu = Cpu(lambda: {"user": 5.0, "idle": 7.0, "guest": 2.0}, lambda: (0.1, 0.2, 0.3), [])

    assert values(cpu.read()) == {
        ("fleet_cpu_seconds_total", "user"): 5,
        ("fleet_cpu_seconds_total", "idle"): 7,
        ("fleet_load_1m",): 0.1,
        ("fleet_load_5m",): 0.2,
        ("fleet_load_15m",): 0.3,
    }


def test_frequency_is_in_hertz(tmp_path):
    """The kernel writes kilohertz, one file a domain; unreadable text does not count."""
    for number, text in enumerate(["2000000\n", "4000000\n", "<unknown>\n"]):
        (tmp_path / f"policy{number}").mkdir()
        (tmp_path / f"policy{number}" / "scaling_cur_freq").write_text(text)
    cpu = Cpu(lambda: {"user": 1.0}, tuple, find_frequency_files(tmp_path))

    assert values(cpu.read())["fleet_cpu_frequency_hertz",] == 3e9


def test_no_frequency_is_absent():
    """Most virtual machines have no frequency domain."""
    cpu = Cpu(lambda: {"user": 1.0}, tuple, [])

    assert ("fleet_cpu_frequency_hertz",) not in values(cpu.read())


def test_memory_used_is_what_is_not_available():
    """Caches can be given back, so they are not used memory."""
    found = values(memory.parse(Memory(total=100, available=60, swap_total=10, swap_used=0)))

    assert found["fleet_memory_used_bytes",] == 40
    assert found["fleet_swap_used_bytes",] == 0
    assert found["fleet_swap_total_bytes",] == 10


def test_memory_is_what_the_kernel_says():
    """Its kB are of 1024 bytes; swap in use is what is not free."""
    text = (
        b"MemTotal:  100 kB\nMemFree:  5 kB\nMemAvailable:  60 kB\n"
        b"SwapTotal:  10 kB\nSwapFree:  7 kB\n"
    )

    assert memory.parse_meminfo(text) == Memory(102400, 61440, 10240, 3072)


def test_memory_of_this_machine():
    """What is available is a part of all."""
    found = memory.read_memory()

    assert 0 < found.available <= found.total


def test_no_swap_is_absent():
    """A machine without swap has no swap metric."""
    found = values(memory.parse(Memory(total=100, available=60, swap_total=0, swap_used=0)))

    assert ("fleet_swap_used_bytes",) not in found


def test_disk_counts_a_device_once():
    """A device that is mounted twice stands under the first mount, the watched one first."""
    mounts = {
        "/model": Mount("/model", 7, 10, 100),
        "/mnt": Mount("/mnt", 7, 10, 100),
        "/data": Mount("/data", 8, 20, 200),
        "/proc": Mount("/proc", 9, 0, 0),
    }
    found = values(disk.parse(mounts.values()))

    assert found == {
        ("fleet_disk_free_bytes", "/model"): 10,
        ("fleet_disk_total_bytes", "/model"): 100,
        ("fleet_disk_free_bytes", "/data"): 20,
        ("fleet_disk_total_bytes", "/data"): 200,
    }


def test_disk_survives_an_unmount(tmp_path):
    """A mount that is gone by the time it is asked is left out."""
    mounts = {str(disk.find_mount(tmp_path)): Mount("/", 1, 5, 10), "/gone": None}
    family = Disk([tmp_path], lambda: ["/gone"], mounts.get)

    assert {("fleet_disk_free_bytes", "/"), ("fleet_disk_total_bytes", "/")} == values(
        family.read()
    ).keys()


def test_disk_of_this_machine(tmp_path):
    """The file system of a watched path is found even where it is an overlay."""
    found = values(Disk([tmp_path / "not" / "there"]).read())

    mount = disk.find_mount(tmp_path)
    assert 0 < found["fleet_disk_free_bytes", mount] <= found["fleet_disk_total_bytes", mount]


def test_files_are_no_mounts(tmp_path):
    """Containers mount single files; they have no space of their own."""
    file = tmp_path / "hosts"
    file.touch()

    assert disk.read_mount(str(file)) is None
    assert disk.read_mount(str(tmp_path / "gone")) is None


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"brand_raw": "AMD Ryzen 7 "}, "AMD Ryzen 7"),
        ({"hardware_raw": "BCM2835"}, "BCM2835"),
        ({"arch": "X86_64"}, "unknown"),
    ],
)
def test_cpu_model_is_the_brand(facts, expected):
    """The brand names the CPU; ARM boards have a hardware name instead."""
    assert expected == parse_cpu_model(json.dumps(facts))


def test_node_info_is_absent_until_known():
    """The labels of an info metric never change: it appears once all of them are known."""
    answer = '{"brand_raw": "Test CPU"}'
    info = NodeInfo(lambda: answer)

    assert info.wait(10)
    (sample,) = info.read()
    assert sample.value == 1
    assert ("Test CPU", fleet_timescale.__version__) == (
        sample.labels["cpu_model"],
        sample.labels["version"],
    )


def test_node_info_without_cpuinfo():
    """A machine that py-cpuinfo cannot read still has an info metric."""

    def fail():
        raise subprocess.TimeoutExpired("cpuinfo", 60)

    info = NodeInfo(fail)

    assert info.wait(10)
    assert len(list(info.read())) == 1
