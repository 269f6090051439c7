"""
Read input idle time of X11 displays.

Xwayland is left out: it learns only of input to its own windows. By hand: `xprintidle`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_exporters.decision.activity import Signals
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.signals import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fleet_exporters.signals.processes import Process

SOCKETS = Path("/tmp/.X11-unix")  # noqa: S108 - where X servers put them
PROGRAM = Path(__file__).with_name("x11_idle.py")
MILLISECONDS = 1000.0


def find_displays(sockets: Path = SOCKETS) -> list[str]:
    """Return the local displays, such as `:0`."""
    return sorted(f":{path.name[1:]}" for path in sockets.glob("X[0-9]*"))


def find_xwayland(processes: Iterable[Process]) -> set[str]:
    """Return the displays that are a Wayland compositor's."""
    return {
        part
        for process in processes
        if process.name == "Xwayland"
        for part in process.arguments
        if part.startswith(":")
    }


def find_authority() -> dict[str, str]:
    """Return what opens a display: our own XAUTHORITY, else one that root finds in a session."""
    if "XAUTHORITY" in os.environ:
        return {}
    found = sorted(Path("/run/user").glob("*/gdm/Xauthority")) if os.getuid() == 0 else []
    return {"XAUTHORITY": str(found[0])} if found else {}


def parse_idle(text: str) -> float:
    """Return seconds of the milliseconds that the program prints. Raises SensorError."""
    if not text.strip().isdecimal():
        raise SensorError(f"{PROGRAM.name} prints {text.strip()!r}, not a number")
    return int(text) / MILLISECONDS


def read(
    processes: Callable[[], list[Process]],
    displays: Callable[[], list[str]] = find_displays,
    ask: Callable[..., str] = command.ask,
) -> Signals:
    """Return the shortest idle time of all displays. Raises NoDevice without one."""
    names = displays()
    names = [name for name in names if name not in find_xwayland(processes())] if names else []
    if not names:
        raise NoDevice("no X server runs here, or only Xwayland")
    program, authority = [sys.executable, "-I", "-S", str(PROGRAM)], find_authority()
    idle = command.ask_each(names, lambda name: parse_idle(ask([*program, name], authority)))
    return Signals(input_idle_seconds=min(idle))
