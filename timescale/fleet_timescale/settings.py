"""Read FLEET_* variables, typed; secrets come from files named by *_FILE. Called once, at start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fleet_timescale.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping


def text(environ: Mapping[str, str], name: str, default: str | None = None) -> str:
    """Return the variable, or the default. Raises SettingsError when it has neither."""
    value = environ.get(name, "").strip() or default
    if value is None:
        raise SettingsError(f"{name} is not set; `./fleet up` sets it, or set it yourself")
    return value


def number(environ: Mapping[str, str], name: str, default: float) -> float:
    """Return the variable as a number. Raises SettingsError when it is not one."""
    value = text(environ, name, str(default))
    try:
        return float(value)
    except ValueError as exc:
        raise SettingsError(f"{name} must be a number, not {value!r}") from exc


def secret(environ: Mapping[str, str], name: str) -> str:
    """
    Return the content of the file that <name>_FILE names.

    Raises SettingsError when there is none.
    """
    path = Path(text(environ, f"{name}_FILE"))
    try:
        value = path.read_text().strip()
    except OSError as exc:
        raise SettingsError(f"{name}_FILE names {path}, which cannot be read: {exc}") from exc
    if not value:
        raise SettingsError(f"{name}_FILE names {path}, which is empty")
    return value


def part_url(environ: Mapping[str, str], name: str) -> str:
    """
    Return the address of another part of the fleet without a trailing slash, empty when absent.

    One that holds a login stands in the file that <name>_FILE names.
    """
    if environ.get(f"{name}_FILE"):
        return secret(environ, name).rstrip("/")
    return environ.get(name, "").strip().rstrip("/")


def address(environ: Mapping[str, str], name: str) -> tuple[str, int]:
    """
    Return host and port of a variable like 127.0.0.1:9100.

    Raises SettingsError when it is not of that form.
    """
    value = text(environ, name)
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit():
        raise SettingsError(f"{name} must be HOST:PORT, not {value!r}")
    return host, int(port)
