"""
Ask the D-Bus of people who are logged in, through systemd's busctl.

Not by a client of our own: a session bus lets in nobody but its user, and busctl can become that
user's client for root as well. It is told not to start what does not run.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.signals import command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RUNTIME_DIRS = Path("/run/user")


def find_buses(
    environ: Mapping[str, str] = os.environ,
    runtime_dirs: Path = RUNTIME_DIRS,
    own_uid: int | None = None,
) -> list[tuple[str, ...]]:
    """Return busctl's arguments for each session bus that this process may enter."""
    own_uid = os.getuid() if own_uid is None else own_uid
    buses: list[tuple[str, ...]] = []
    if address := environ.get("DBUS_SESSION_BUS_ADDRESS"):
        buses.append(("--user", f"--address={address}"))
    for path in sorted(runtime_dirs.glob("*/bus")):
        uid = int(path.parent.name) if path.parent.name.isdecimal() else -1
        if uid == own_uid:
            own = ("--user", f"--address=unix:path={path}")
            if own not in buses:
                buses.append(own)
        elif own_uid == 0 and (name := _name_of(uid)):
            buses.append(("--user", f"--machine={name}@.host"))
    return buses


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def has_owner(bus: tuple[str, ...], service: str, ask: Callable[..., str] = command.ask) -> bool:
    """Tell whether the service runs on that bus; it is not started for the question."""
    answer = ask(
        [
            "busctl", *bus, "call", "org.freedesktop.DBus", "/org/freedesktop/DBus",
            "org.freedesktop.DBus", "NameHasOwner", "s", service,
        ]
    )  # fmt: skip
    return parse_value(answer, "b") == "true"


def call(
    bus: tuple[str, ...],
    service: str,
    path: str,
    method: tuple[str, ...],
    ask: Callable[..., str] = command.ask,
) -> str:
    """Return the answer to one method call; `method` is interface, name, signature, arguments."""
    return ask(["busctl", *bus, "--auto-start=no", "call", service, path, *method])


def parse_value(answer: str, kind: str) -> str:
    """Return the one value of an answer such as `b true`, `v i 1` or `t 8012`."""
    words = answer.split()
    if words[:1] == ["v"]:
        words = words[1:]
    if len(words) != 2 or words[0] != kind:
        raise SensorError(f"busctl answers {answer.strip()!r}, not one value of type {kind}")
    return words[1]


def require_buses(buses: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the buses. Raises NoDevice when there is none that we may enter."""
    if not buses:
        raise NoDevice("no logged-in user has a session bus that we may use")
    return buses
