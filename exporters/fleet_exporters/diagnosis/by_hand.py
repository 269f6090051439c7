"""The command that shows by hand what a sensor family reads."""

from __future__ import annotations

import sys

LINUX = {
    "cpu": "head -1 /proc/stat; cat /proc/loadavg",
    "memory": "free --bytes",
    "disk": "df --block-size=1 --local",
    "disk_io": "cat /proc/diskstats",
    "network": "cat /proc/net/dev",
    "temperatures": "sensors",
    "gpu": (
        "nvidia-smi --query-gpu=index,name,utilization.gpu,temperature.gpu,memory.used,power.draw "
        "--format=csv"
    ),
    "node_info": "uname -srm; lscpu",
}
# What Linux shows through /proc, /sys and its own tools.
WINDOWS = {
    "cpu": 'typeperf -sc 1 "\\Processor(_Total)\\% Processor Time"',
    "memory": "systeminfo",
    "disk": "fsutil volume diskfree C:",
    "network": "netstat -e",
    "node_info": "systeminfo",
    "gpu": LINUX["gpu"],
}


def choose(family: str, platform: str = sys.platform) -> str:
    """Return the command for this system; empty where none is known."""
    return (WINDOWS if platform == "win32" else LINUX).get(family, "")
