"""The sampler reads families, judges them, and drops what cannot be true."""

from __future__ import annotations

import itertools
import logging
import math

import pytest
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.reading.sampler import LABEL_LENGTH_MAX, Sampler, clean
from fleet_exporters.sample import Sample


def load(value=1.0):
    """Return a sample that is always possible."""
    return Sample("fleet_load_1m", {}, value)


def hot(celsius, sensor="k10temp Tdie"):
    """Return a CPU temperature."""
    return Sample("fleet_cpu_temperature_celsius", {"sensor": sensor}, celsius)


def fail_with(error, *before):
    """Return a family that yields some samples and then fails."""

    def read():
        yield from before
        raise error

    return read


def in_turn(*reads):
    """Return a family that behaves differently at each tick."""
    turns = iter(reads)

    def read():
        return next(turns)()

    return read


def find(samples, name, **labels):
    """Return the values of a metric with these labels."""
    return [s.value for s in samples if s.name == name and labels.items() <= s.labels.items()]


def test_duration_of_each_family():
    """Each family is timed by the clock that was handed in."""
    clock = itertools.count()
    samples = Sampler({"cpu": lambda: [load()]}, lambda: next(clock)).sample()

    assert find(samples, "fleet_collector_duration_seconds", collector="cpu") == [1]
    assert find(samples, "fleet_collector_up", collector="cpu") == [1.0]


def test_broken_family_does_not_stop_the_others():
    """A family that fails is 0, keeps what it gave before, and the next one is read."""
    families = {"cpu": fail_with(OSError("bus"), hot(60)), "memory": lambda: [load()]}

    samples = Sampler(families).sample()

    assert find(samples, "fleet_collector_up", collector="cpu") == [0.0]
    assert find(samples, "fleet_cpu_temperature_celsius") == [60]
    assert find(samples, "fleet_load_1m") == [1.0]


def test_no_device_is_absent():
    """A family without a device is neither up nor broken."""
    samples = Sampler({"gpu": fail_with(NoDevice("none"))}).sample()

    assert samples == []


def test_device_that_went_away_is_broken():
    """A GPU that was there at the last tick has not become "no GPU"."""
    gone = fail_with(NoDevice("none"))
    sampler = Sampler({"gpu": in_turn(lambda: [load()], gone, gone)})

    ups = [find(sampler.sample(), "fleet_collector_up") for _ in range(3)]

    assert ups == [[1.0], [0.0], [0.0]]


@pytest.mark.parametrize("value", [math.nan, math.inf, -273.15, 255.0])
def test_impossible_temperature_is_dropped_and_counted(value):
    """Values by which drivers say "nothing" are no temperatures."""
    sampler = Sampler({"temperatures": lambda: [hot(value), hot(50, "other")]})

    samples = sampler.sample()

    assert find(samples, "fleet_cpu_temperature_celsius") == [50]
    assert find(samples, "fleet_samples_dropped_total", reason="impossible") == [1]
    assert find(samples, "fleet_samples_dropped_total", reason="unreadable") == [0]


def test_second_series_of_one_name_is_dropped():
    """Two values of one series at one moment would spoil page and table."""
    samples = Sampler({"temperatures": lambda: [hot(50), hot(51)]}).sample()

    assert find(samples, "fleet_cpu_temperature_celsius") == [50]


def test_labels_can_be_stored():
    """Labels of hostile bytes and length become short UTF-8 without NUL."""
    sample = clean(hot(50, "a\0b\udcff" + "x" * 500))

    assert sample.labels["sensor"].startswith("ab?x")
    assert len(sample.labels["sensor"]) == LABEL_LENGTH_MAX


def test_state_is_logged_when_it_changes(caplog):
    """A family that stays broken is one line in the log, not one a tick."""
    broken = fail_with(SensorError("bus"))
    sampler = Sampler({"cpu": in_turn(broken, broken, broken, lambda: [load()])})

    with caplog.at_level(logging.INFO):
        for _ in range(4):
            sampler.sample()

    assert caplog.messages == ["sensor family is broken", "sensor family can be read again"]
