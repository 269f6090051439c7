"""
Read the counters and the link speed of network devices.

By hand: `cat /proc/net/dev`, `cat /sys/class/net/*/speed`. Loopback and the host ends of containers
are left out.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fleet_exporters.collectors.members import read_each, split_dropped
from fleet_exporters.collectors.sysfs import SYS, read_number
from fleet_exporters.errors import NoDevice
from fleet_exporters.sample import Dropped, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

NET_DEV = Path("/proc/net/dev")

# One per container, with names that never come back: they would cost a series each for ever.
VIRTUAL_PREFIXES = ("veth", "docker", "br-", "virbr", "cni", "ifb", "dummy", "Loopback")
LOOPBACK = "lo"
SPEED_SECONDS = 60.0  # a link's speed changes when a cable does; asking takes system calls
SPEED_UNKNOWN = (-1, 0, 65535)  # how drivers and psutil say that there is none (Wi-Fi, virtual)
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


def parse_line(fields: str) -> Traffic:
    """Return the counts of a line of /proc/net/dev without its name; ValueError if it is none."""
    numbers = [int(field) for field in fields.split()]
    received, errors_in, drops_in = numbers[:1] + numbers[2:4]
    sent, errors_out, drops_out = numbers[8:9] + numbers[10:12]
    return Traffic(received, sent, errors_in, errors_out, drops_in, drops_out)


def read_traffic() -> Mapping[str, Traffic | str]:
    """Return lines of /proc/net/dev, elsewhere psutil's counts; Prometheus knows resets."""
    if sys.platform.startswith("linux"):
        lines = NET_DEV.read_text(encoding="utf-8").splitlines()[2:]
        pairs = (line.rpartition(":") for line in lines)
        return {name.strip(): fields for name, _, fields in pairs}
    counters = psutil.net_io_counters(pernic=True, nowrap=False)
    return {
        name: Traffic(io.bytes_recv, io.bytes_sent, io.errin, io.errout, io.dropin, io.dropout)
        for name, io in counters.items()
    }


def read_speed(name: str, root: Path = SYS) -> float | None:
    """Return megabits per second, as the driver says; None where it says nothing."""
    if sys.platform.startswith("linux"):
        return read_number(root / "class" / "net" / name / "speed")
    return psutil.net_if_stats()[name].speed


def parse(traffic: Mapping[str, Traffic | str]) -> Iterator[Sample | Dropped]:
    """Yield the counters of each real device, ordered by name."""
    real = find_real(traffic)
    if not real:
        raise NoDevice("no network device except loopback; ip link lists them")
    return read_each(real, lambda name: _describe(name, traffic[name]))


def find_real(names: Iterable[str]) -> list[str]:
    """Return the devices that are the machine's own, ordered by name."""
    return [
        name for name in sorted(names) if name != LOOPBACK and not name.startswith(VIRTUAL_PREFIXES)
    ]


def _describe(name: str, said: Traffic | str) -> Iterator[Sample]:
    labels, io = {"device": name}, parse_line(said) if isinstance(said, str) else said
    yield Sample("fleet_network_receive_bytes_total", labels, io.receive_bytes)
    yield Sample("fleet_network_transmit_bytes_total", labels, io.transmit_bytes)
    yield Sample("fleet_network_receive_errors_total", labels, io.receive_errors)
    yield Sample("fleet_network_transmit_errors_total", labels, io.transmit_errors)
    yield Sample("fleet_network_receive_drops_total", labels, io.receive_drops)
    yield Sample("fleet_network_transmit_drops_total", labels, io.transmit_drops)


class Network:
    """Asks for the counters at each tick, for the speeds once a minute."""

    def __init__(
        self,
        traffic: Callable[[], Mapping[str, Traffic | str]] = read_traffic,
        speed: Callable[[str], float | None] = read_speed,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._traffic = traffic
        self._speed = speed
        self._clock = clock
        self._speeds: dict[str, float] = {}
        self._speeds_due = float("-inf")

    def read(self) -> Iterator[Sample | Dropped]:
        """Yield the traffic and the speed of each device."""
        traffic = self._traffic()
        yield from parse(traffic)
        if self._clock() >= self._speeds_due:
            self._speeds_due = self._clock() + SPEED_SECONDS
            found, dropped = split_dropped(read_each(find_real(traffic), self._read_speed))
            self._speeds = dict(found)
            yield from dropped
        for name, speed in self._speeds.items():
            if name in traffic:
                value = speed * BYTES_PER_MEGABIT
                yield Sample("fleet_network_speed_bytes_per_second", {"device": name}, value)

    def _read_speed(self, name: str) -> Iterator[tuple[str, float]]:
        speed = self._speed(name)
        if speed is not None and speed not in SPEED_UNKNOWN:
            yield name, speed
