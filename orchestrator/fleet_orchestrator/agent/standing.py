"""
Whether the fleet still knows this node, and how its exporter is told that it does not.

A removed node has no login and no rights any more; a database that is away refuses nobody. One
refusal may come while a password is changed, three in a row do not.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from fleet_orchestrator import runtime

if TYPE_CHECKING:
    from pathlib import Path

REFUSALS_MAX = 3
FILE = "settings.json"
# libpq hands on the server's sentence, and no code. In another language it is taken for an absence.
REFUSED_LOGIN = ("password authentication failed", "is not permitted to log in")
NOTHING_KNOWN = {"settings_version": 0, "settings": {}, "process_ids": []}


def is_refusal(error: psycopg.Error) -> bool:
    """Return whether the database answered and does not let this node in."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return True
    return isinstance(error, psycopg.OperationalError) and any(
        words in str(error) for words in REFUSED_LOGIN
    )


def describe_removal(node: str) -> str:
    """Return what the machine of a removed node tells its person."""
    return (
        f"node {node} was removed from the fleet: its login is gone, its worker has been stopped, "
        "and the agent ends. To join again, run `./fleet nodes invite` at the fleet and here the "
        "command that it prints"
    )


def hold_back(folder: Path, reason: str) -> None:
    """Have the exporter store no readings, for a reason; the next heartbeat takes it back."""
    path = folder / FILE
    known = runtime.read(path, datetime.now(UTC), stale=None) or NOTHING_KNOWN
    kept = {key: value for key, value in known.items() if key not in {"version", "time"}}
    runtime.write(path, {**kept, "held_back": reason})
