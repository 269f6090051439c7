"""
Commands: what people can ask to change. A REST route and a Grafana button run the same command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet_control_api.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleet_timescale.connection import Connection

    from fleet_control_api.arguments import Field
    from fleet_control_api.errors import ApiError
    from fleet_control_api.identity import Identity, Role

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Done:
    """The result of a command: the answer to the caller, target and reason for the audit log."""

    answer: dict[str, Any]
    target: str
    reason: str


@dataclass(frozen=True)
class Command:
    """A change that callers of a role may ask for."""

    action: str
    role: Role
    summary: str
    fields: tuple[Field, ...]
    execute: Callable[[Connection, Identity, Arguments], Done]
    target: Callable[[Mapping[str, Any]], str]  # for the audit row of an attempt that failed
    not_found: type[ApiError] = NotFoundError  # the answer when the database finds no such row
