"""Ask a program of the system, with a deadline; called in the background, never in the tick."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, TypeVar

from fleet_exporters.errors import NoDevice, SensorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

DEADLINE_SECONDS = 2.0

Place = TypeVar("Place")
Answer = TypeVar("Answer")


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


def ask_each(places: Iterable[Place], ask_one: Callable[[Place], Answer]) -> list[Answer]:
    """Return the answers of those users, displays or cards that give one. Raises if none does."""
    answers, problems = [], []
    for place in places:
        try:
            answers.append(ask_one(place))
        except SensorError as exc:
            problems.append(exc)
    if problems and not answers:
        raise problems[0]
    return answers
