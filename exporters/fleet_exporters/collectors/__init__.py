"""Sensor families: one file each. To add one, write its file and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_exporters.collectors import memory, temperatures
from fleet_exporters.collectors.cpu import Cpu
from fleet_exporters.collectors.disk import Disk
from fleet_exporters.collectors.disk_io import DiskIo
from fleet_exporters.collectors.gpu import Gpu
from fleet_exporters.collectors.network import Network
from fleet_exporters.collectors.node_info import NodeInfo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fleet_exporters.sample import Read


# Seconds between two readings of what may hang: a driver, a bus, a server of files.
SLOW_PERIODS = {
    "disk": 5.0,
    "temperatures": 2.5,
    "gpu": 2.5,
}


def make_families(watched: Sequence[Path]) -> dict[str, Read]:
    """Return all families by name; the file systems of `watched` paths are read in any case."""
    return {
        "cpu": Cpu().read,
        "memory": memory.read,
        "disk": Disk(watched).read,
        "disk_io": DiskIo().read,
        "network": Network().read,
        "temperatures": temperatures.read,
        "gpu": Gpu().read,
        "node_info": NodeInfo().read,
    }
