"""
Run a command and its audit row in one transaction, and record what failed.

REST routes call `perform`, Grafana's buttons `perform_once`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from flask import request
from werkzeug.exceptions import HTTPException

from fleet_control_api.audit import log as audit
from fleet_control_api.audit.attempts import record_attempt, write_done
from fleet_control_api.changes.commands import Done
from fleet_control_api.changes.repeats import Keyed
from fleet_control_api.service.context import caller, services, source, undo_all
from fleet_control_api.service.database import translate
from fleet_control_api.service.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleet_timescale.connection import Connection

    from fleet_control_api.changes.commands import Arguments, Command, Reply

REPEATED = "the same request again under its idempotency key, no second change"
FAULT = "internal error; see the log of the control API"


def perform(command: Command[Arguments, Reply], read: Callable[[], Arguments]) -> Reply:
    """
    Run a command for the caller and return its answer.

    `read` parses the request. Raises what went wrong, mostly ApiError, after the failed attempt
    was recorded.
    """
    done = _run(command, read, is_keyed=True)
    services().debounce.count_change()
    return done.answer


def perform_once(
    command: Command[Arguments, Reply],
    read: Callable[[], Arguments],
    sent: Sequence[tuple[str, str]],
) -> Reply:
    """
    Run a command as `perform` does, but answer the second press of a double click with the first.

    `sent` is the query string of the press, before it is parsed.
    """
    key = (caller().way, caller().actor, command.action, *sent)
    done, is_repeat = services().debounce.once(key, lambda: _run(command, read))
    if is_repeat:
        services().metrics.attempts.labels(command.action, "done").inc()
        reason = "the same press again within two seconds, no second change"
        entry = audit.Entry(caller(), command.action, done.target, "done", reason, source())
        audit.write_alone(services().database, [entry])
    answer: Reply = done.answer
    return answer


def _run(
    command: Command[Arguments, Reply], read: Callable[[], Arguments], *, is_keyed: bool = False
) -> Done[Reply]:
    who, arguments = caller(), None
    try:
        arguments = read()
        keyed = Keyed.read(command.action) if is_keyed else None
        with services().database.change() as connection:
            done = _execute(connection, command, arguments, keyed)
            for target in (done.target, *done.parts):
                write_done(connection, who, command.action, target, done.reason)
    except Exception as exc:
        undo_all()
        error = _explain(exc, command)
        target = command.target(arguments) if arguments is not None else request.path
        record_attempt(who, command.action, target, "failed", str(error or FAULT))
        if error is None or error is exc:
            raise
        raise error from exc
    services().metrics.attempts.labels(command.action, "done").inc()
    return done


def _execute(
    connection: Connection,
    command: Command[Arguments, Reply],
    arguments: Arguments,
    keyed: Keyed | None,
) -> Done[Reply]:
    """Change what is asked for, unless it was done under the same key."""
    if keyed is None:
        return command.execute(connection, caller(), arguments)
    before = keyed.find(connection, command)
    if before is not None:
        return Done(before, command.target(arguments), REPEATED)
    done = command.execute(connection, caller(), arguments)
    keyed.keep(connection, command, done.answer)
    return done


def _explain(error: Exception, command: Command[Arguments, Reply]) -> Exception | None:
    """Return the error that the caller is answered with, or None for a fault of ours."""
    if isinstance(error, psycopg.Error):
        return translate(error, command.not_found)
    return error if isinstance(error, ApiError | HTTPException) else None
