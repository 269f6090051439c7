"""
Changes: each is one Command, whichever way it is asked for, and each attempt is in the audit log.

REST routes call `perform`, Grafana's buttons `perform_once`: it parses, runs the command and its
audit row in one transaction, and writes down what failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from flask import request
from werkzeug.exceptions import HTTPException

from fleet_control_api import audit
from fleet_control_api.context import caller, services, source
from fleet_control_api.database import translate
from fleet_control_api.errors import ApiError, NotFoundError, TooManyError
from fleet_control_api.tally import OWN_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fleet_timescale.connection import Connection

    from fleet_control_api.arguments import Field
    from fleet_control_api.identity import Identity, Role
    from fleet_control_api.limits import RateLimit

FAULT = "internal error; see the log of the control API"

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Done:
    """What a command did: the answer for the caller, target and reason for the audit log."""

    answer: dict[str, Any]
    target: str
    reason: str


@dataclass(frozen=True)
class Command:
    """A change that people may ask for."""

    action: str
    role: Role
    summary: str
    fields: tuple[Field, ...]
    execute: Callable[[Connection, Identity, Arguments], Done]
    target: Callable[[Mapping[str, Any]], str]  # of attempts that were refused or failed
    unknown: type[ApiError] = NotFoundError  # the answer when the database finds no such thing


def perform(command: Command, read: Callable[[], Arguments]) -> dict[str, Any]:
    """
    Run a command for the caller and return its answer.

    `read` parses what was sent. Raises what went wrong, mostly ApiError, after the failed attempt
    was written down.
    """
    done = _carry_out(command, read)
    services().repeats.count_change()
    return done.answer


def perform_once(
    command: Command, read: Callable[[], Arguments], sent: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """
    Run a command as `perform` does, but answer the second press of a double click with the first.

    `sent` is what the press says, before it is parsed.
    """
    key = (caller().way, caller().actor, command.action, *sent)
    done, is_repeat = services().repeats.once(key, lambda: _carry_out(command, read))
    if is_repeat:
        services().metrics.attempts.labels(command.action, "done").inc()
        reason = "the same press again within two seconds, no second change"
        entry = audit.Entry(caller(), command.action, done.target, "done", reason, source())
        audit.write_alone(services().database, [entry])
    return done.answer


def _carry_out(command: Command, read: Callable[[], Arguments]) -> Done:
    who, arguments = caller(), dict[str, Any]()
    try:
        arguments = read()
        with services().database.transaction() as connection:
            done = command.execute(connection, who, arguments)
            audit.write(
                connection,
                audit.Entry(who, command.action, done.target, "done", done.reason, source()),
            )
    except Exception as exc:
        error = _mean(exc, command)
        target = command.target(arguments) if arguments else request.path
        note_attempt(who, command.action, target, "failed", str(error or FAULT))
        if error is None or error is exc:
            raise
        raise error from exc
    services().metrics.attempts.labels(command.action, "done").inc()
    return done


def _mean(error: Exception, command: Command) -> Exception | None:
    """Return what the caller is told, or None for a fault of ours."""
    if isinstance(error, psycopg.Error):
        return translate(error, command.unknown)
    return error if isinstance(error, ApiError | HTTPException) else None


def limit_changes(who: Identity, action: str, limit: RateLimit) -> None:
    """Count an attempt of somebody. Raises TooManyError when there were too many."""
    # By way in as well: a Grafana user called like one of ours must not use up their attempts.
    wait = limit.take(f"{who.way} {who.actor}")
    if not wait:
        return
    error = TooManyError(f"too many changes by {who.actor}", remedy="Wait.", retry_seconds=wait)
    note_attempt(who, action, request.path, "refused", str(error), own_rows=0)
    raise error


def note_attempt(  # noqa: PLR0913 - the columns of the audit log
    who: Identity, action: str, target: str, outcome: str, reason: str, *, own_rows: int = OWN_ROWS
) -> None:
    """Write down an attempt that changed nothing; those past `own_rows` a minute are summed."""
    services().metrics.attempts.labels(action, outcome).inc()
    entry = audit.Entry(who, action, target, outcome, reason, source())
    audit.write_alone(services().database, services().tally.note(entry, own_rows))
