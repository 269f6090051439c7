"""
Read whether the machine runs on battery.

By hand: `grep . /sys/class/power_supply/*/online`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psutil

from fleet_exporters.decision.activity import Signals
from fleet_exporters.errors import NoDevice

if TYPE_CHECKING:
    from collections.abc import Callable


def read_battery() -> Any:
    """Return psutil's account of the battery; None without one."""
    return psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None


def read(read_battery: Callable[[], Any] = read_battery) -> Signals:
    """Return whether the plug is out; unknown where the battery does not tell. Raises NoDevice."""
    try:
        battery = read_battery()
    except FileNotFoundError:  # a container without sysfs, or a kernel without the class
        battery = None
    if battery is None:
        raise NoDevice("this machine has no battery")
    plugged = battery.power_plugged
    return Signals(is_on_battery=None if plugged is None else not plugged)
