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

from fleet_control_api.attempts import limit_changes, record_anonymous, record_attempt
from fleet_control_api.context import services
from fleet_control_api.errors import RefusedError, UnauthenticatedError
from fleet_control_api.identity import ANONYMOUS, Access, Identity, Role
from fleet_control_api.sessions import identify_bearer

if TYPE_CHECKING:
    from fleet_control_api.arguments import Field
    from fleet_control_api.commands import Command

View = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    """What a view's decorator declares: who may call it, and what it takes."""

    access: Access
    body: tuple[Field, ...] = ()
    query: tuple[Field, ...] = ()
    media_type: str = "application/json"


def route_of(view: View) -> Route | None:
    """Return what a view's decorator declared; None when it has none."""
    return cast("Route | None", getattr(view, "route", None))


def public(
    *, body: tuple[Field, ...] = (), media_type: str = "application/json"
) -> Callable[[View], View]:
    """Anybody may call it: it returns no data of the fleet, or is the way to log in."""
    return _guard(Route(Access(), body=body, media_type=media_type))


def reads(
    role: Role | None = Role.VIEWER,
    *,
    scopes: tuple[str, ...] = (),
    query: tuple[Field, ...] = (),
    media_type: str = "application/json",
) -> Callable[[View], View]:
    """The role, or a token of one of the scopes, may read it."""
    return _guard(Route(Access(role, frozenset(scopes)), query=query, media_type=media_type))


def changes(command: Command, *, in_path: tuple[str, ...] = ()) -> Callable[[View], View]:
    """
    The command's role may do it; fields `in_path` come from the address, the others from the body.
    """
    body = tuple(field for field in command.fields if field.name not in in_path)
    return _guard(Route(Access(command.role, action=command.action), body=body))


def button(command: Command) -> Callable[[View], View]:
    """
    The command's role may do it, through Grafana's data source only.

    The values come from the query string.
    """
    access = Access(command.role, is_button=True, action=command.action)
    return _guard(Route(access, query=command.fields))


def _guard(route: Route) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(**arguments: Any) -> Any:
            g.identity = ANONYMOUS
            if not route.access.is_public:
                g.identity = _identify(route.access)
                _admit(route.access, g.identity)
            return view(**arguments)

        guarded.route = route  # type: ignore[attr-defined]
        return guarded

    return decorate


def _identify(access: Access) -> Identity:
    """Return who calls. Raises UnauthenticatedError or RefusedError after counting the attempt."""
    try:
        if access.is_button:
            return services().grafana.identify(request.headers)
        with services().database.transaction() as connection:
            return identify_bearer(
                connection, services().sessions, request.headers.get("Authorization")
            )
    except (UnauthenticatedError, RefusedError) as exc:
        record_anonymous(access.action, str(exc))
        raise


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
