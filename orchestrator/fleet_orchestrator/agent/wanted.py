"""
What people want of the worker of this node, and by which command: a file in the home.

It is written before the worker is touched. An agent that is killed in between finds it at its next
start, as does one after a reboot: a stopped node stays stopped, and nothing is done twice.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)
VERSION = 1  # of the file, for whoever changes it


@dataclass(frozen=True)
class Wanted:
    """Whether the worker is to run; `command_id` is the last command that was begun with."""

    runs: bool = True
    command_id: uuid.UUID | None = None


def load(path: Path) -> Wanted:
    """Return what was stored; a worker that runs, where nothing or nothing readable was."""
    try:
        content = json.loads(path.read_text())
        command = content["command_id"]
        return Wanted(bool(content["runs"]), uuid.UUID(command) if command else None)
    except FileNotFoundError:
        return Wanted()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        extra = {"file": str(path), "error": str(exc)}
        logger.warning("What was wanted of the worker cannot be read; it will run.", extra=extra)
        return Wanted()


def store(path: Path, wanted: Wanted) -> None:
    """Replace the file at once and for good: it must outlive a power cut. Raises OSError."""
    command = str(wanted.command_id) if wanted.command_id else None
    content = {"version": VERSION, "runs": wanted.runs, "command_id": command}
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with scratch.open("w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
