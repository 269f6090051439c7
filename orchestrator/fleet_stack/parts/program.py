"""One third-party program: where it is, its version, and whether we accept that."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_stack.home import StackError, addresses

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fleet_stack.fetch import vendor

# Where the executable lies below a release's folder; Debian's name and place differ.
BINARIES = {
    "grafana": ("bin/grafana",),
    "prometheus": ("prometheus", "bin/prometheus", "usr/bin/prometheus"),
    "alertmanager": (
        "alertmanager",
        "bin/alertmanager",
        "prometheus-alertmanager",
        "usr/bin/prometheus-alertmanager",
    ),
}
WEB_ASSETS = "usr/share/prometheus/web"  # Debian's Prometheus reads its pages from here
ORIGINS = {
    "home": "from the folder you named",
    "path": "from PATH",
    "vendor": "from the vendor's release",
    "debian": "from Debian's package",
}
VERSION_SECONDS = 20.0
_VERSION = re.compile(r"version\D{0,3}(\d+(?:\.\d+)+)", re.IGNORECASE)


class ProgramError(StackError):
    """A program cannot be used."""


@dataclass(frozen=True)
class Program:
    """
    A third-party program.

    `origin` is external, home, path, vendor, debian or absent; `path` is None for external and
    absent ones. `extra` are arguments that depend on where it is installed.
    """

    name: str
    path: Path | None = None
    version: str = ""
    origin: str = "absent"
    extra: tuple[str, ...] = ()
    reason: str = ""
    url: str = ""


def render_program(program: Program) -> str:
    """Return one line for people: the version and where it comes from."""
    if program.origin == "external":
        found = f"your own at {addresses.hide_login(program.url)}"
    elif program.origin == "absent":
        found = f"absent: {program.reason}"
    else:
        found = f"{program.version} {ORIGINS[program.origin]} ({program.path})"
    return f"{program.name:<13} {found}"


def parse_version(output: str) -> str | None:
    """Return the version in the output of `--version`, e.g. `prometheus, version 2.42.0+ds (…)`."""
    found = _VERSION.search(output)
    return found.group(1) if found else None


def decide_objection(pin: vendor.Pin, version: str | None) -> str | None:
    """Return why a version cannot be used, or None when it can."""
    if version is None:
        return f"it does not report its version; {pin.floor} or newer is needed"
    if version in pin.refused:
        return f"version {version} has known faults; use another one from {pin.floor} on"
    if _parts(version) < _parts(pin.floor):
        return f"version {version} is too old; {pin.floor} or newer is needed"
    return None


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def locate_binary(name: str, folder: Path) -> Path | None:
    """Return the executable below a release's folder, or None."""
    for relative in BINARIES[name]:
        path = folder / relative
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def ask_version(binary: Path) -> str:
    """Return the output of `--version`."""
    try:
        done = subprocess.run(
            [binary, "--version"],
            capture_output=True,
            text=True,
            check=False,
            timeout=VERSION_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ProgramError(
            f"{binary} does not run ({exc}); it may be for another kind of machine"
        ) from exc
    return done.stdout + done.stderr


def read_version(
    folder: Path, binary: Path, ask: Callable[[Path], str] = ask_version
) -> str | None:
    """
    Return the version that a program reports, else the one in its folder (Grafana built by hand).
    """
    told = parse_version(ask(binary))
    if told:
        return told
    if (folder / "VERSION").is_file():
        return parse_version(f"version {(folder / 'VERSION').read_text().strip()}")
    if (folder / "package.json").is_file():
        return parse_version(
            f"version {json.loads((folder / 'package.json').read_text()).get('version')}"
        )
    return None


def from_folder(
    name: str, pin: vendor.Pin, folder: Path, origin: str, ask: Callable[[Path], str] = ask_version
) -> Program:
    """Return the program in a folder. Raises ProgramError when we cannot accept it."""
    binary = locate_binary(name, folder)
    if binary is None:
        raise ProgramError(f"{folder} has no {BINARIES[name][0]}")
    version = read_version(folder, binary, ask)
    objection = decide_objection(pin, version)
    if objection:
        raise ProgramError(f"{binary} cannot be used: {objection}")
    return Program(name, binary, version or "", origin, find_extra(name, folder))


def find_extra(name: str, folder: Path) -> tuple[str, ...]:
    """Return the arguments that name the other folders of a release."""
    if name == "grafana":
        return ("--homepath", str(folder))
    if name == "prometheus" and (folder / WEB_ASSETS).is_dir():
        return (f"--web.local-assets={folder / WEB_ASSETS}/",)
    return ()
