"""Sensor families: one file each. To add one, write its file and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_exporters.collectors import memory
from fleet_exporters.collectors.clock import Clock
from fleet_exporters.collectors.cpu import Cpu
from fleet_exporters.collectors.disk import Disk, find_mount
from fleet_exporters.collectors.disk_io import DiskIo
from fleet_exporters.collectors.energy import Energy
from fleet_exporters.collectors.gpu.amd import GpuAmd
from fleet_exporters.collectors.gpu.intel import GpuIntel
from fleet_exporters.collectors.gpu.nvidia import Gpu
from fleet_exporters.collectors.network import Network
from fleet_exporters.collectors.node_info import NodeInfo
from fleet_exporters.collectors.peers import Peers
from fleet_exporters.collectors.pi import Pi
from fleet_exporters.collectors.temperatures import Temperatures
from fleet_exporters.collectors.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fleet_exporters.sample import Read


# Seconds between two readings of what may hang: a driver, a bus, a file server. Heat is what
# the worker obeys, so it is read twice a tick.
SLOW_PERIODS = {
    "disk": 5.0,
    "temperatures": 2.5,
    "gpu": 2.5,
    "gpu_amd": 2.5,
    "gpu_intel": 2.5,
    "pi": 5.0,
    "windows": 2.5,
    "energy": 5.0,
}


def make_families(
    watched: Sequence[Path],
    *,
    model: Path | None = None,
    clock: Clock | None = None,
    monitor_url: str = "",
    runtime_dir: Path | None = None,
) -> dict[str, Read]:
    """
    Return all families by name.

    The file systems of `watched` paths, of which `model` is one, are read in any case; `clock` is
    measured elsewhere; what the node agent has measured is in `runtime_dir`.
    """
    return {
        "cpu": Cpu().read,
        "memory": memory.read,
        "disk": Disk(watched, model_mount=find_mount(model) if model else "").read,
        "disk_io": DiskIo().read,
        "network": Network().read,
        "peers": Peers(runtime_dir).read,
        "temperatures": Temperatures().read,
        "gpu": Gpu().read,
        "gpu_amd": GpuAmd().read,
        "gpu_intel": GpuIntel().read,
        "pi": Pi().read,
        "windows": Windows(monitor_url).read,
        "energy": Energy().read,
        "clock": (clock or Clock()).read,
        "node_info": NodeInfo().read,
    }
