"""
Read who sits at this machine, and since when a session says that it is idle.

A session that says "not idle" says little: desktops wait for minutes before they call themselves
idle, and some never do. So only "idle since" is believed, and the last key press of a text console.
By hand: `loginctl list-sessions`, `loginctl show-session ID`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_exporters.decision.activity import Signals
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.signals import command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SYSTEMD = Path("/run/systemd/system")  # there if, and only if, systemd runs (sd_booted(3))
PROPERTIES = ("Id", "Class", "State", "Seat", "Type", "TTY", "IdleHint", "IdleSinceHint")
MICROSECONDS = 1_000_000


def parse_ids(text: str) -> list[str]:
    """Return the first column of `loginctl list-sessions --no-legend`."""
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def parse_sessions(text: str) -> list[Mapping[str, str]]:
    """Return the properties of each session of `loginctl show-session ID…`."""
    blocks = [block.splitlines() for block in text.split("\n\n") if block.strip()]
    return [dict(line.split("=", 1) for line in block if "=" in line) for block in blocks]


def is_seated(session: Mapping[str, str]) -> bool:
    """True for a person at this machine's own screen or console, not for ssh or a greeter."""
    is_open = session.get("State") in ("active", "online")
    return session.get("Class") == "user" and bool(session.get("Seat")) and is_open


def find_idle(
    session: Mapping[str, str], now: float, read_atime: Callable[[str], float]
) -> float | None:
    """Return seconds since the last input to a session, as far as it tells."""
    if session.get("Type") == "tty" and session.get("TTY"):
        return max(0.0, now - read_atime(f"/dev/{session['TTY']}"))
    since = session.get("IdleSinceHint", "")
    if session.get("IdleHint") != "yes" or not since.isdecimal():
        return None
    return max(0.0, now - int(since) / MICROSECONDS)


def read_atime(path: str) -> float:
    """Return when a terminal was last read from, Unix time. Raises SensorError."""
    try:
        return os.stat(path).st_atime  # noqa: PTH116 - a device node by name
    except OSError as exc:
        raise SensorError(f"cannot look at {path}: {exc}") from exc


def decide(
    sessions: list[Mapping[str, str]], now: float, atime: Callable[[str], float] = read_atime
) -> Signals:
    """Return whether somebody sits here, and the shortest idle time that is told."""
    seated = [session for session in sessions if is_seated(session)]
    idle = [s for session in seated if (s := find_idle(session, now, atime)) is not None]
    # One silent session among several: its person may be typing.
    is_complete = len(idle) == len(seated)
    return Signals(
        is_interactive=bool(seated),
        input_idle_seconds=min(idle) if idle and is_complete else None,
    )


def read(
    ask: Callable[..., str] = command.ask,
    clock: Callable[[], float] = time.time,
    systemd: Path = SYSTEMD,
) -> Signals:
    """Ask logind. Raises NoDevice where systemd does not run."""
    if not systemd.is_dir():
        raise NoDevice("systemd does not run here")
    ids = parse_ids(ask(["loginctl", "list-sessions", "--no-legend"]))
    if not ids:
        return Signals(is_interactive=False)
    shown = ask(["loginctl", "show-session", *ids, f"--property={','.join(PROPERTIES)}"])
    return decide(parse_sessions(shown), clock())
