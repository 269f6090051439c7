"""Passwords come from a terminal without echo, from a file or from standard input."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    from pathlib import Path


def read_password(prompt: str, path: Path | None = None) -> str:
    """Return the first line of the file or of standard input, or what a person types."""
    if path is not None:
        try:
            return path.read_text().partition("\n")[0]
        except (OSError, ValueError) as exc:
            raise ClientError(f"the password file {path} cannot be read ({exc})") from exc
    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
