"""
Read the counters and the link speed of network devices.

By hand: `cat /proc/net/dev`, `cat /sys/class/net/*/speed`. Loopback and the host ends of containers
are left out.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from fleet_exporters.errors import NoDevice
from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# One per container, with names that never come back: they would cost a series each for ever.
VIRTUAL_PREFIXES = ("veth", "docker", "br-", "virbr", "cni", "ifb", "dummy", "Loopback")
LOOPBACK = "lo"
SPEED_SECONDS = 60.0  # a link's speed changes when a cable does; asking takes system calls
SPEED_UNKNOWN = (0, 65535)  # how psutil and older drivers say that there is none (Wi-Fi, virtual)
BYTES_PER_MEGABIT = 125_000


@dataclass(frozen=True)
class Traffic:
    """Counts of a device since boot."""

    receive_bytes: int
    transmit_bytes: int
    receive_errors: int = 0
    transmit_errors: int = 0
    receive_drops: int = 0
    transmit_drops: int = 0


def read_traffic() -> dict[str, Traffic]:
    """Ask the kernel; no correction of wrapped counters, since Prometheus knows resets."""
    counters = psutil.net_io_counters(pernic=True, nowrap=False)
    return {
        name: Traffic(io.bytes_recv, io.bytes_sent, io.errin, io.errout, io.dropin, io.dropout)
        for name, io in counters.items()
    }


def read_speeds() -> dict[str, int]:
    """Return megabits per second by device, as the driver says."""
    return {name: stats.speed for name, stats in psutil.net_if_stats().items()}


def parse(traffic: Mapping[str, Traffic], speeds: Mapping[str, int]) -> Iterator[Sample]:
    """Yield counters and known speed of each real device, ordered by name."""
    real = [
        name
        for name in sorted(traffic)
        if name != LOOPBACK and not name.startswith(VIRTUAL_PREFIXES)
    ]
    if not real:
        raise NoDevice("no network device but loopback; ip link shows what there is")
    for name in real:
        labels, io = {"device": name}, traffic[name]
        yield Sample("fleet_network_receive_bytes_total", labels, io.receive_bytes)
        yield Sample("fleet_network_transmit_bytes_total", labels, io.transmit_bytes)
        yield Sample("fleet_network_receive_errors_total", labels, io.receive_errors)
        yield Sample("fleet_network_transmit_errors_total", labels, io.transmit_errors)
        yield Sample("fleet_network_receive_drops_total", labels, io.receive_drops)
        yield Sample("fleet_network_transmit_drops_total", labels, io.transmit_drops)
        speed = speeds.get(name, 0)
        if speed not in SPEED_UNKNOWN:
            yield Sample("fleet_network_speed_bytes_per_second", labels, speed * BYTES_PER_MEGABIT)


class Network:
    """Asks for the counters at each tick, for the speeds once a minute."""

    def __init__(
        self,
        traffic: Callable[[], Mapping[str, Traffic]] = read_traffic,
        speeds: Callable[[], Mapping[str, int]] = read_speeds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._traffic = traffic
        self._read_speeds = speeds
        self._clock = clock
        self._speeds: Mapping[str, int] = {}
        self._speeds_due = float("-inf")

    def read(self) -> Iterator[Sample]:
        """Yield the traffic and the speed of each device."""
        if self._clock() >= self._speeds_due:
            self._speeds = self._read_speeds()
            self._speeds_due = self._clock() + SPEED_SECONDS
        return parse(self._traffic(), self._speeds)
