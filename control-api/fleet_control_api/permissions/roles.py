"""
Authorization: one decorator above each handler declares who may call it, and enforces it.

The application refuses to start with a route that has none. The OpenAPI document and the tests
read what the decorators declare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from flask import g, request
from pydantic import BaseModel

from fleet_control_api.audit.attempts import limit_changes, record_anonymous, record_attempt
from fleet_control_api.callers.identity import ANONYMOUS, Access, Identity, Role
from fleet_control_api.callers.sessions import identify_bearer
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import (
    ConflictError,
    NotFoundError,
    RefusedError,
    UnauthenticatedError,
)
from fleet_control_api.values.fields import KeyHeaders

if TYPE_CHECKING:
    from fleet_control_api.changes.commands import Arguments, Command, Reply
    from fleet_control_api.service.errors import ApiError
    from fleet_control_api.values.fields import Request

View = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    """What a view's decorator declares: who may call it, what it takes, what it answers."""

    access: Access
    answer: type[BaseModel] | str  # a model of JSON, or another media type
    status: int = 200
    path: type[Request] | None = None
    query: type[Request] | None = None
    headers: type[Request] | None = None
    body: type[Request] | None = None  # without what the path names
    errors: tuple[type[ApiError], ...] = ()  # besides those that follow from the rest
    is_page: bool = False  # for people with a browser, not for programs


def route_of(view: View) -> Route | None:
    """Return what a view's decorator declared; None when it has none."""
    return cast("Route | None", getattr(view, "route", None))


def public(
    answer: type[BaseModel] | str,
    *,
    path: type[Request] | None = None,
    body: type[Request] | None = None,
    errors: tuple[type[ApiError], ...] = (),
) -> Callable[[View], View]:
    """Anybody may call it: it returns no data of the fleet, or is the way to log in."""
    return _guard(Route(Access(), answer, path=path, body=body, errors=errors))


def page(view: View) -> View:
    """Anybody may open it with a browser; what it shows beyond addresses it asks a login for."""
    return _guard(Route(Access(), "text/html", is_page=True))(view)


def reads(  # noqa: PLR0913 - all that a route may declare
    answer: type[BaseModel] | str,
    role: Role | None = Role.VIEWER,
    *,
    scopes: tuple[str, ...] = (),
    path: type[Request] | None = None,
    query: type[Request] | None = None,
    headers: type[Request] | None = None,
    errors: tuple[type[ApiError], ...] = (),
) -> Callable[[View], View]:
    """The role, or a token of one of the scopes, may read it."""
    access = Access(role, frozenset(scopes))
    return _guard(Route(access, answer, path=path, query=query, headers=headers, errors=errors))


def asks(
    answer: type[BaseModel] | str, body: type[Request], role: Role = Role.VIEWER
) -> Callable[[View], View]:
    """The role may ask it: it changes nothing, and what it takes has no room in an address."""
    return _guard(Route(Access(role), answer, body=body))


def changes(
    command: Command[Arguments, Reply],
    *,
    status: int = 200,
    path: type[Request] | None = None,
) -> Callable[[View], View]:
    """
    The command's role or scopes may do it. What the path does not name comes from the body.

    Each takes an idempotency key.
    """
    access = Access(command.role, frozenset(command.scopes), action=command.action)
    return _guard(
        Route(
            access,
            command.answer,
            status=status,
            path=path,
            headers=KeyHeaders,
            body=command.arguments,
            errors=(ConflictError, *command.errors),
        )
    )


def button(command: Command[Arguments, Reply]) -> Callable[[View], View]:
    """
    The command's role may do it, through Grafana's data source only.

    The values come from the query string.
    """
    access = Access(command.role, is_button=True, action=command.action)
    return _guard(
        Route(
            access,
            command.answer,
            query=command.arguments,
            errors=(NotFoundError, ConflictError, *command.errors),
        )
    )


def _guard(route: Route) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(**arguments: Any) -> Any:
            g.identity = ANONYMOUS
            if not route.access.is_public:
                g.identity = _identify(route.access)
                _admit(route.access, g.identity)
            return _unpack(view(**arguments))

        guarded.route = route  # type: ignore[attr-defined]
        return guarded

    return decorate


def _unpack(answer: Any) -> Any:
    """Return what Flask takes: models as plain values, alone or before status and headers."""
    if isinstance(answer, tuple):
        return (_unpack(answer[0]), *answer[1:])
    return answer.model_dump() if isinstance(answer, BaseModel) else answer


def _identify(access: Access) -> Identity:
    """Return who calls. Raises UnauthenticatedError or RefusedError after counting the attempt."""
    try:
        if access.is_button:
            return services().grafana.identify(request.headers)
        header = request.headers.get("Authorization", "")
        return services().callers.find(header, lambda: _ask_database(header))
    except (UnauthenticatedError, RefusedError) as exc:
        record_anonymous(access.action, str(exc))
        raise


def _ask_database(header: str) -> Identity:
    with services().database.statements() as connection:
        return identify_bearer(connection, services().sessions, header)


def _admit(access: Access, identity: Identity) -> None:
    if access.action:
        # First, since refusals are audit rows as well.
        limit_changes(identity, access.action, services().writes)
    if access.allows(identity):
        return
    reason = f"{access.needs()} is needed, {identity.actor} has {identity.role_word}"
    if access.action:
        record_attempt(identity, access.action, request.path, "refused", reason)
    raise RefusedError(reason, remedy="Ask an admin for it.")
