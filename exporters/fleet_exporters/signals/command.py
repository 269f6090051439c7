"""Ask a program of the system, with a deadline; called aside, never in the tick."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from fleet_exporters.errors import NoDevice, SensorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEADLINE_SECONDS = 2.0


def ask(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """
    Return what the program prints.

    Raises NoDevice where there is no such program, SensorError where it fails or hangs.
    """
    try:
        done = subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
        )
    except FileNotFoundError as exc:
        raise NoDevice(f"{arguments[0]} is not installed") from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise SensorError(f"{arguments[0]} does not answer: {exc}") from exc
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise SensorError(f"{arguments[0]} failed: {said or done.returncode}")
    return done.stdout
