"""What a Raspberry Pi's firmware holds back; see fixtures/README.md."""

from __future__ import annotations

import pytest
from fleet_exporters.collectors.pi import Pi, parse_word, read_hwmon, read_sysfs
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.reading.family import take
from fleet_exporters.sample import Dropped, Sample


def values(samples):
    """Return value by metric and label values."""
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


@pytest.mark.parametrize("text", ["50005", "0x50005\n", "throttled=0x50005\n"])
def test_word_has_two_halves(text):
    """Bits 0 and 2 are now, bits 16 and 18 are since boot; each source writes it its own way."""
    now, since_boot = parse_word(text)

    assert [reason for reason, held in now.items() if held] == ["under_voltage", "throttled"]
    assert now == since_boot


def test_nonsense_is_no_zero():
    """A word that cannot be read is an error."""
    with pytest.raises(SensorError, match="throttled word"):
        parse_word("error=1 error_msg=Command not registered")


def test_first_source_that_answers_is_taken(sysfs):
    """The firmware's file tells all; the voltage monitor only the voltage."""
    root = sysfs("pi")

    assert read_sysfs(root) == parse_word("50005")
    assert read_hwmon(root) == ({"under_voltage": True}, {})
    assert values(Pi((lambda: None, lambda: read_hwmon(root)), lambda: 0.0).read()) == {
        ("fleet_pi_throttled", "under_voltage"): 1,
        ("fleet_pi_throttled_seconds_total", "under_voltage"): 0,
    }


def fail():
    raise SensorError("bus")


def test_source_that_fails_leaves_the_next():
    """A file that cannot be read is told, and the firmware's tool is asked."""
    found = list(Pi((fail, lambda: parse_word("1")), lambda: 0.0).read())

    assert found[0] == Dropped("throttled state", "bus")
    assert Sample("fleet_pi_throttled", {"reason": "under_voltage"}, 1.0) in found


def test_monitor_without_a_name_is_no_pi(tmp_path):
    """A chip whose name cannot be read makes no Raspberry Pi of a machine."""
    (tmp_path / "class/hwmon/hwmon0/name").mkdir(parents=True)

    with pytest.raises(NoDevice):
        list(Pi((lambda: read_hwmon(tmp_path),), lambda: 0.0).read())


def test_firmware_that_fails_is_broken():
    """A source that fails is no machine without the firmware."""
    assert isinstance(take(Pi((fail,), lambda: 0.0).read, lambda: 0.0).problem, SensorError)


def test_time_is_added_up():
    """The time between two readings goes to each state that holds."""
    now = [0.0]
    pi = Pi((lambda: parse_word("1"),), lambda: now[0])
    list(pi.read())
    now[0] = 5.0
    found = values(pi.read())

    assert found["fleet_pi_throttled_seconds_total", "under_voltage"] == 5
    assert found["fleet_pi_throttled_seconds_total", "throttled"] == 0
    assert found["fleet_pi_throttled_since_boot", "under_voltage"] == 0


def test_other_machines_are_no_pi(tmp_path):
    """None of the sources is there: the metrics are absent."""
    with pytest.raises(NoDevice):
        list(Pi((lambda: read_sysfs(tmp_path), lambda: read_hwmon(tmp_path))).read())
