"""Families that may hang are read in the background: the tick goes on, old values go."""

from __future__ import annotations

import threading

import pytest
from fleet_exporters.collectors import SLOW_PERIODS, make_families
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.reading.family import DEADLINE_SECONDS, STALE_SECONDS, Slow, take
from fleet_exporters.reading.sampler import Sampler
from fleet_exporters.sample import Dropped, Sample

DISK = Sample("fleet_disk_free_bytes", {"mount": "/"}, 5)
LOAD = Sample("fleet_load_1m", {}, 0.5)
WAIT = 10  # seconds; a test that needs them has failed


class Device:
    """Answers at once, then hangs in its second reading until it is let go."""

    def __init__(self, *first):
        self.first = first
        self.hangs = threading.Event()
        self.go_on = threading.Event()
        self.count = 0

    def read(self):
        self.count += 1
        if self.count > 1:
            self.hangs.set()
            self.go_on.wait(WAIT)
        yield from self.first


@pytest.fixture
def stop():
    made = threading.Event()
    yield made
    made.set()


def find(samples, name, **labels):
    """Return the values of a metric with these labels."""
    return [s.value for s in samples if s.name == name and labels.items() <= s.labels.items()]


def test_tick_goes_on_while_a_device_hangs(stop):
    """The other families are read at each tick; the hung one ages, then goes, and is broken."""
    now, device = [0.0], Device(DISK)
    families = {"disk": device.read, "cpu": lambda: [LOAD]}
    sampler = Sampler(families, lambda: now[0], {"disk": 0.001})
    sampler.start(stop, WAIT)
    assert device.hangs.wait(WAIT)

    ticks = []
    for now[0] in (DEADLINE_SECONDS, DEADLINE_SECONDS + 1, STALE_SECONDS, STALE_SECONDS + 1):
        ticks.append(sampler.sample())
    device.go_on.set()

    assert [find(tick, "fleet_load_1m") for tick in ticks] == [[0.5]] * 4
    assert [find(tick, "fleet_disk_free_bytes") for tick in ticks] == [[5], [5], [5], []]
    assert [find(tick, "fleet_collector_up", collector="disk") for tick in ticks] == [
        [1.0],
        [0.0],
        [0.0],
        [0.0],
    ]


def test_duration_of_a_hung_family_grows(stop):
    """What is served is how long the present reading has taken so far, not the last good one."""
    now, device = [0.0], Device(DISK)
    sampler = Sampler({"disk": device.read}, lambda: now[0], {"disk": 0.001})
    sampler.start(stop, WAIT)
    assert device.hangs.wait(WAIT)

    now[0] = 40.0
    samples = sampler.sample()
    device.go_on.set()

    assert find(samples, "fleet_collector_duration_seconds", collector="disk") == [40.0]


def test_family_is_absent_before_its_first_answer():
    """A family that has not answered yet is neither there nor broken."""
    slow = Slow(lambda: [DISK], 5, lambda: 0.0)

    assert slow.latest() is None


def test_dropped_samples_are_counted_once_a_reading(stop):
    """An impossible value that is served for several ticks was thrown away once."""
    device = Device(Sample("fleet_temperature_celsius", {"sensor": "x"}, -273.15))
    sampler = Sampler({"temperatures": device.read}, lambda: 0.0, {"temperatures": 0.001})
    sampler.start(stop, WAIT)
    assert device.hangs.wait(WAIT)

    ticks = [sampler.sample() for _ in range(3)]
    device.go_on.set()

    counts = [find(tick, "fleet_samples_dropped_total", reason="impossible") for tick in ticks]
    assert counts == [[1], [1], [1]]


@pytest.mark.parametrize("problem", [NoDevice("none"), SensorError("bus")])
def test_problem_keeps_what_came_before(stop, problem):
    """A background family is told apart as one that is read at once: absent or broken."""

    def read():
        yield DISK
        raise problem

    slow = Slow(read, 60, lambda: 0.0)
    slow.start("disk", stop)
    assert slow.wait(WAIT)

    reading = slow.latest()

    assert (reading.samples, reading.problem) == ((DISK,), problem)


def test_absent_device_stays_absent(stop):
    """No device, found in the background, is no failure."""

    def read():
        raise NoDevice("none")

    sampler = Sampler({"gpu": read}, lambda: 0.0, {"gpu": 0.001})
    sampler.start(stop, WAIT)

    assert sampler.sample() == []


USB = Dropped("/mnt/usb", "Input/output error")


def test_dropped_member_leaves_the_family_up():
    """What failed is counted at each reading; the family was read."""
    sampler = Sampler({"disk": lambda: [USB, DISK]})
    sampler.sample()

    samples = sampler.sample()

    assert find(samples, "fleet_collector_up", collector="disk") == [1.0]
    assert find(samples, "fleet_samples_dropped_total", reason="unreadable") == [2]
    assert find(samples, "fleet_disk_free_bytes") == [5]


def test_family_without_any_member_is_down():
    """Where nothing could be read, what failed is the reason."""
    reading = take(lambda: [USB], lambda: 0.0)

    assert "/mnt/usb: Input/output error" in str(reading.problem)
    assert find(Sampler({"disk": lambda: [USB]}).sample(), "fleet_collector_up") == [0.0]


def test_reading_is_timed():
    """From first to last sample, by the clock that was handed in."""
    times = iter([10.0, 10.5])

    assert take(lambda: [DISK], lambda: next(times)).seconds == 0.5


def test_slow_families_exist(tmp_path):
    """A period belongs to a family that there is; a misspelt one would be read in the tick."""
    assert SLOW_PERIODS.keys() <= make_families([tmp_path]).keys()
