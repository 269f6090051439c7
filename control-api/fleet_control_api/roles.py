"""
Who may use which route: one decorator above each handler says it, and makes sure of it.

The application refuses to start with a route that has none; the role table of the tests, the README
and the OpenAPI document are read from what the decorators leave on the view.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from flask import g, request

from fleet_control_api import audit
from fleet_control_api.commands import Command, limit_changes, note_attempt
from fleet_control_api.context import services, source
from fleet_control_api.errors import RefusedError, UnauthenticatedError
from fleet_control_api.identity import NOBODY, Access, Identity, Role
from fleet_control_api.sessions import identify_bearer
from fleet_control_api.tally import OWN_ROWS_OF_NOBODY

if TYPE_CHECKING:
    from fleet_control_api.arguments import Field

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
    """Anybody may call it: it holds no data, or is the way to log in."""
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
    The command's role may do it, through Grafana's door only.

    The fields come from the query string.
    """
    access = Access(command.role, is_button=True, action=command.action)
    return _guard(Route(access, query=command.fields))


def _guard(route: Route) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(**arguments: Any) -> Any:
            g.identity = NOBODY
            if not route.access.is_public:
                g.identity = _identify(route.access)
                _admit(route.access, g.identity)
            return view(**arguments)

        guarded.route = route  # type: ignore[attr-defined]
        return guarded

    return decorate


def _identify(access: Access) -> Identity:
    """Return who calls, or count the attempt of nobody and raise."""
    try:
        if access.is_button:
            return services().door.identify(request.headers)
        with services().database.transaction() as connection:
            return identify_bearer(
                connection, services().sessions, request.headers.get("Authorization")
            )
    except (UnauthenticatedError, RefusedError) as exc:
        note_nobody(access.action, str(exc))
        raise


def _admit(access: Access, identity: Identity) -> None:
    if access.action:
        # Before anything is noted: refusals are rows as well.
        limit_changes(identity, access.action, services().writes)
    if access.allows(identity):
        return
    reason = f"{access.needs()} is needed, {identity.actor} has {identity.role_word}"
    if access.action:
        note_attempt(identity, access.action, request.path, "refused", reason)
    raise RefusedError(reason, remedy="Ask an admin for it.")


def note_nobody(action: str, reason: str) -> None:
    """
    Count a request of nobody.

    One that would have changed something is also written down, within bounds.
    """
    services().metrics.unauthenticated.inc()
    if action:
        entry = audit.Entry(NOBODY, action, request.path, "refused", reason, source())
        rows = services().tally.note(entry, OWN_ROWS_OF_NOBODY)
        audit.write_alone(services().database, rows)
