"""
Read input idle time and full-screen games on Windows.

Both are told only within the owner's own session; a service in session 0 learns nothing, and says
so. By hand: the task manager's column "Session".
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

from fleet_exporters.decision.activity import Signals
from fleet_exporters.errors import NoDevice, SensorError

RUNNING_D3D_FULL_SCREEN = 3  # of QUERY_USER_NOTIFICATION_STATE
TICKS_WRAP = 2**32  # milliseconds; both counters begin anew after 49.7 days
MILLISECONDS = 1000.0


class LastInput(ctypes.Structure):
    """LASTINPUTINFO."""

    _fields_ = (("cbSize", ctypes.c_uint), ("dwTime", ctypes.c_uint))


def parse_idle(ticks: int, input_ticks: int) -> float:
    """Return seconds between two readings of the millisecond counter."""
    return ((ticks - input_ticks) % TICKS_WRAP) / MILLISECONDS


def read_session(libraries: Any) -> int:
    """Return the session of this process; 0 is that of services."""
    session = ctypes.c_uint(0)
    if not libraries.kernel32.ProcessIdToSessionId(os.getpid(), ctypes.byref(session)):
        raise SensorError("Windows does not report our session")
    return session.value


def read_idle(libraries: Any) -> float:
    """Return seconds since the last input of this session."""
    last = LastInput(ctypes.sizeof(LastInput), 0)
    if not libraries.user32.GetLastInputInfo(ctypes.byref(last)):
        raise SensorError("GetLastInputInfo failed")
    return parse_idle(libraries.kernel32.GetTickCount() % TICKS_WRAP, last.dwTime)


def read_full_screen(libraries: Any) -> bool:
    """Tell whether a Direct3D program owns the screen."""
    state = ctypes.c_int(0)
    result = libraries.shell32.SHQueryUserNotificationState(ctypes.byref(state))
    if result != 0:
        raise SensorError(f"SHQueryUserNotificationState failed with {result:#x}")
    return state.value == RUNNING_D3D_FULL_SCREEN


def load_libraries() -> Any:
    """Return the system's libraries. Raises NoDevice anywhere but on Windows."""
    if sys.platform != "win32":
        raise NoDevice("this is not Windows")
    return ctypes.windll


def read(load: Any = load_libraries) -> Signals:
    """Return idle time and full screen. Raises NoDevice for a service."""
    libraries = load()
    if read_session(libraries) == 0:
        raise NoDevice(
            "a service sees neither input nor screen; run the exporter in the owner's session"
        )
    return Signals(
        is_interactive=True,
        input_idle_seconds=read_idle(libraries),
        is_full_screen=read_full_screen(libraries),
    )
