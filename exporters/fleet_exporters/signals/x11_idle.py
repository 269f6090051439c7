"""
Print milliseconds since the last input to an X display: `python x11_idle.py DISPLAY`.

A program of its own, since Xlib ends the whole process when the display goes away.
"""

from __future__ import annotations

import ctypes
import sys


class ScreenSaverInfo(ctypes.Structure):
    """XScreenSaverInfo of libXss."""

    _fields_ = (
        ("window", ctypes.c_ulong),
        ("state", ctypes.c_int),
        ("kind", ctypes.c_int),
        ("til_or_since", ctypes.c_ulong),
        ("idle", ctypes.c_ulong),
        ("event_mask", ctypes.c_ulong),
    )


def main(display_name: str) -> int:
    """Ask the display once."""
    try:
        xlib, xss = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXss.so.1")
    except OSError as exc:
        print(exc, file=sys.stderr)  # noqa: T201 - read by our parent
        return 2
    xlib.XOpenDisplay.restype = xlib.XDefaultRootWindow.restype = ctypes.c_void_p
    xlib.XDefaultRootWindow.argtypes = (ctypes.c_void_p,)
    xss.XScreenSaverQueryInfo.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    display = xlib.XOpenDisplay(display_name.encode())
    if not display:
        print(f"cannot open display {display_name}", file=sys.stderr)  # noqa: T201 - as above
        return 1
    info = ScreenSaverInfo()
    window = xlib.XDefaultRootWindow(display)
    if not xss.XScreenSaverQueryInfo(display, window, ctypes.byref(info)):
        print("the display has no screen saver extension", file=sys.stderr)  # noqa: T201 - as above
        return 1
    print(info.idle)  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
