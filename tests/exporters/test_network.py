"""Network devices: counters, errors, and the speed of the link where it is known."""

from __future__ import annotations

import errno

import pytest
from fleet_exporters.collectors.network import SPEED_SECONDS, Network, Traffic, parse, parse_line
from fleet_exporters.errors import NoDevice
from fleet_exporters.sample import Dropped, Sample


def values(samples):
    """Return value by metric and device."""
    return {(sample.name, sample.labels["device"]): sample.value for sample in samples}


def test_virtual_devices_are_left_out():
    """Loopback and the host ends of containers are no network of the machine."""
    found = values(
        parse(
            {
                "lo": Traffic(1, 1),
                "veth12ab": Traffic(2, 2),
                "docker0": Traffic(3, 3),
                "wlan0": Traffic(5, 6),
            }
        )
    )

    assert {device for _, device in found} == {"wlan0"}
    assert found["fleet_network_receive_bytes_total", "wlan0"] == 5
    assert found["fleet_network_transmit_bytes_total", "wlan0"] == 6


def test_errors_and_drops_keep_their_direction():
    """What came in broken is not what could not be sent."""
    found = values(parse({"eth0": Traffic(0, 0, 1, 2, 3, 4)}))

    assert found["fleet_network_receive_errors_total", "eth0"] == 1
    assert found["fleet_network_transmit_errors_total", "eth0"] == 2
    assert found["fleet_network_receive_drops_total", "eth0"] == 3
    assert found["fleet_network_transmit_drops_total", "eth0"] == 4


@pytest.mark.parametrize("speed", [None, -1, 0, 65535])
def test_unknown_speed_is_absent(speed):
    """Wi-Fi and virtual devices have no link speed: the metric is absent, never 0."""
    found = values(Network(lambda: {"wlan0": Traffic(5, 6)}, lambda _: speed).read())

    assert ("fleet_network_speed_bytes_per_second", "wlan0") not in found


def test_speed_is_in_bytes_and_asked_once_a_minute():
    """A gigabit is 125 million bytes; a cable that is changed shows within a minute."""
    now, speeds = [0.0], iter([1000, 100])
    network = Network(lambda: {"eth0": Traffic(5, 6)}, lambda _: next(speeds), lambda: now[0])

    found = []
    for now[0] in (0.0, SPEED_SECONDS - 1, SPEED_SECONDS):
        found.append(values(network.read())["fleet_network_speed_bytes_per_second", "eth0"])

    assert found == [125_000_000, 125_000_000, 12_500_000]


LINE = "1000 7 1 3 0 0 0 0 2000 8 2 4 0 0 0 0"


def test_line_of_the_kernel():
    """Bytes, errors and drops of both directions stand apart."""
    assert parse_line(LINE) == Traffic(1000, 2000, 1, 2, 3, 4)


def test_device_that_cannot_be_read_leaves_the_others():
    """A torn line is that of one device; a driver that fails costs its own speed only."""

    def speed(name):
        if name == "eth1":
            raise OSError(errno.EIO, "Input/output error")
        return 1000

    devices = {"eth0": LINE, "eth1": LINE, "eth2": "7"}
    found = list(Network(lambda: devices, speed, lambda: 0.0).read())

    by_device = values(item for item in found if isinstance(item, Sample))
    assert by_device["fleet_network_receive_bytes_total", "eth1"] == 1000
    assert by_device["fleet_network_speed_bytes_per_second", "eth0"] == 125_000_000
    assert [(item.what, item.why) for item in found if isinstance(item, Dropped)] == [
        ("eth2", "not enough values to unpack (expected 3, got 1)"),
        ("eth1", "Input/output error"),
    ]


def test_only_loopback_is_no_network():
    """A machine with nothing but loopback has no network device."""
    with pytest.raises(NoDevice, match="loopback"):
        list(parse({"lo": Traffic(1, 1)}))


def test_network_of_this_machine():
    """The real counters have the fields that are asked for."""
    try:
        found = list(Network().read())
    except NoDevice:
        return

    assert {"fleet_network_receive_drops_total"} <= {sample.name for sample in found}
