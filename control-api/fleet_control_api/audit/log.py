"""
The audit log: one row for every attempt to change something.

`write` joins the transaction of the change. Refusals and failures have a transaction of their own
and a rate limit (`rate_limit.py`), so that nobody can fill the table.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from fleet_timescale.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_timescale.connection import Connection

    from fleet_control_api.callers.identity import Identity
    from fleet_control_api.service.database import Database

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One attempt; `source` is the address it came from."""

    identity: Identity
    action: str
    target: str
    outcome: str  # done, refused, failed
    reason: str
    source: str | None


def write(connection: Connection, entry: Entry) -> None:
    """Append the attempt within the caller's transaction."""
    connection.execute(
        "SELECT control.write_audit(%s, %s, %s, %s, %s, %s, %s, %s::inet)",
        [
            entry.identity.actor,
            entry.identity.role_word,
            entry.identity.way,
            entry.action,
            clean(entry.target),
            entry.outcome,
            clean(entry.reason),
            entry.source,
        ],
    )


def write_alone(database: Database, entries: Sequence[Entry], wait: float | None = None) -> None:
    """
    Append attempts in a transaction of their own; `wait` bounds the seconds for a connection.

    A database that is down leaves them in the program's log.
    """
    if not entries:
        return
    try:
        with database.transaction(wait) as connection:
            for entry in entries:
                write(connection, entry)
    except psycopg.Error as exc:
        for entry in entries:
            _log_unwritten(entry, exc)


def _log_unwritten(entry: Entry, error: psycopg.Error) -> None:
    log.error(
        "audit row could not be written",
        extra={
            "actor": entry.identity.actor,
            "action": entry.action,
            "target": clean(entry.target),
            "outcome": entry.outcome,
            "reason": clean(entry.reason),
            "error": str(error),
        },
    )
