"""
Changes: each is one Command, whichever way it is asked for, and each attempt leaves one audit row.

REST routes and Grafana's buttons both call `perform`: it parses, runs the command and its audit row
in one transaction, and writes down what failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from flask import request

from fleet_control_api import audit
from fleet_control_api.context import caller, services, source
from fleet_control_api.database import translate
from fleet_control_api.errors import ApiError, NotFoundError, TooManyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleet_timescale.connection import Connection

    from fleet_control_api.arguments import Field
    from fleet_control_api.identity import Identity, Role

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

    `read` parses what was sent. Raises ApiError, after the failed attempt was written down.
    """
    with_caller, arguments = caller(), dict[str, Any]()
    try:
        wait = services().writes.take(with_caller.actor)
        if wait:
            raise TooManyError(f"too many changes by {with_caller.actor}", retry_seconds=wait)
        arguments = read()
        with services().database.transaction() as connection:
            done = command.execute(connection, with_caller, arguments)
            audit.write(
                connection,
                audit.Entry(
                    with_caller, command.action, done.target, "done", done.reason, source()
                ),
            )
    except (ApiError, psycopg.Error) as exc:
        error = exc if isinstance(exc, ApiError) else translate(exc, command.unknown)
        reason = str(error) if error else "internal error; see the log of the control API"
        target = command.target(arguments) if arguments else request.path
        note_attempt(command.action, target, "failed", reason)
        if error is None or error is exc:
            raise
        raise error from exc
    services().metrics.attempts.labels(command.action, "done").inc()
    return done.answer


def note_attempt(action: str, target: str, outcome: str, reason: str) -> None:
    """Write down an attempt of the caller that changed nothing."""
    services().metrics.attempts.labels(action, outcome).inc()
    entry = audit.Entry(caller(), action, target, outcome, reason, source())
    audit.write_alone(services().database, entry)
