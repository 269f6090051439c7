"""Which releases of third-party programs we fetch (programs.json), and which we accept."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PINS = Path(__file__).with_name("programs.json")
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_VERSION = re.compile(r"version\D{0,3}(\d+(?:\.\d+)+)", re.IGNORECASE)


@dataclass(frozen=True)
class Pin:
    """One program: the release that is fetched, and the releases that are accepted."""

    version: str
    url: str  # with {arch}
    sha256: Mapping[str, str]  # by architecture
    floor: str
    refused: tuple[str, ...]


def load_pins(path: Path = PINS) -> dict[str, Pin]:
    """Return the pins by program."""
    entries = json.loads(path.read_text())
    return {
        name: Pin(**{**entry, "refused": tuple(entry["refused"])})
        for name, entry in entries.items()
    }


def read_architecture() -> str | None:
    """Return the architecture as vendors name it, or None where we have no pins for it."""
    return ARCHITECTURES.get(platform.machine().lower()) if platform.system() == "Linux" else None


def parse_version(output: str) -> str | None:
    """Return the version in what a program says, e.g. `prometheus, version 2.42.0+ds (…)`."""
    found = _VERSION.search(output)
    return found.group(1) if found else None


def decide_objection(pin: Pin, version: str | None) -> str | None:
    """Return why a version cannot be used, or None when it can."""
    if version is None:
        return f"it does not tell its version, and {pin.floor} or newer is needed"
    if version in pin.refused:
        return f"version {version} has known faults; use another one from {pin.floor} on"
    if _parts(version) < _parts(pin.floor):
        return f"version {version} is too old; {pin.floor} or newer is needed"
    return None


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
