"""
Read input idle time of GNOME, also on Wayland, where no other client is told.

By hand: `busctl --user call org.gnome.Mutter.IdleMonitor /org/gnome/Mutter/IdleMonitor/Core
org.gnome.Mutter.IdleMonitor GetIdletime`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_exporters.decision.activity import Signals
from fleet_exporters.errors import NoDevice
from fleet_exporters.signals import command, session_bus

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICE = "org.gnome.Mutter.IdleMonitor"
PATH = "/org/gnome/Mutter/IdleMonitor/Core"
MILLISECONDS = 1000.0


def read_idle(bus: tuple[str, ...], ask: Callable[..., str] = command.ask) -> float | None:
    """Return seconds since the last input to one user's session; None if it is not GNOME."""
    if not session_bus.has_owner(bus, SERVICE, ask):
        return None
    answer = session_bus.call(bus, SERVICE, PATH, (SERVICE, "GetIdletime"), ask)
    return int(session_bus.parse_value(answer, "t")) / MILLISECONDS


def read(
    find_buses: Callable[[], list[tuple[str, ...]]] = session_bus.find_buses,
    ask: Callable[..., str] = command.ask,
) -> Signals:
    """Return seconds since the last input to any GNOME session. Raises NoDevice without one."""
    buses = session_bus.require_buses(find_buses())
    answers = command.ask_each(buses, lambda bus: read_idle(bus, ask))
    idle = [seconds for seconds in answers if seconds is not None]
    if not idle:
        raise NoDevice("no GNOME session runs here")
    return Signals(input_idle_seconds=min(idle))
