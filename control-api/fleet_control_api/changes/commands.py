"""
Commands: what people can ask to change. A REST route and a Grafana button run the same command.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.fields import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleet_timescale.connection import Connection

    from fleet_control_api.callers.identity import Identity, Role
    from fleet_control_api.service.errors import ApiError

Arguments = TypeVar("Arguments", bound=Request)
Reply = TypeVar("Reply", bound=Answer)


@dataclass(frozen=True)
class Done(Generic[Reply]):
    """The result of a command: the answer to the caller, target and reason for the audit log."""

    answer: Reply
    target: str
    reason: str
    parts: tuple[str, ...] = ()  # what was changed besides: a row of the audit log each


@dataclass(frozen=True)
class Command(Generic[Arguments, Reply]):
    """A change that callers of a role, or tokens of a scope, may ask for."""

    action: str
    role: Role | None  # None: nobody but tokens of the scopes
    summary: str
    arguments: type[Arguments]
    answer: type[Reply]
    execute: Callable[[Connection, Identity, Arguments], Done[Reply]]
    target: Callable[[Arguments], str]  # for the audit row of an attempt that failed
    not_found: type[ApiError] = NotFoundError  # the answer when the database finds no such row
    # Of the answer, as pydantic excludes them: shown once, and kept with no idempotency key.
    secrets: Mapping[str, bool | Mapping[str, bool]] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()  # of tokens that may ask for it as well
    errors: tuple[type[ApiError], ...] = ()  # answers that only this command has
