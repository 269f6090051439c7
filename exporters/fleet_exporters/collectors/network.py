"""
Read the byte counters of network devices.

By hand: `cat /proc/net/dev`. Loopback and the host ends of containers are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from fleet_exporters.errors import NoDevice
from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# One per container, with names that never come back: they would cost a series each for ever.
VIRTUAL_PREFIXES = ("veth", "docker", "br-", "virbr", "cni", "ifb", "dummy", "Loopback")
LOOPBACK = "lo"


@dataclass(frozen=True)
class Traffic:
    """Bytes of a device since boot."""

    receive_bytes: int
    transmit_bytes: int


def read_traffic() -> dict[str, Traffic]:
    """Ask the kernel; no correction of wrapped counters, since Prometheus knows resets."""
    counters = psutil.net_io_counters(pernic=True, nowrap=False)
    return {name: Traffic(io.bytes_recv, io.bytes_sent) for name, io in counters.items()}


def parse(traffic: Mapping[str, Traffic]) -> Iterator[Sample]:
    """Yield both directions of each real device, ordered by name."""
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


def read() -> Iterator[Sample]:
    """Yield the traffic of each device."""
    return parse(read_traffic())
