"""Logins that are open or have been; people see and end their own, admins all."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from flask import Blueprint, request

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import caller, services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.arguments import read_query
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.paging import parse_time
from fleet_control_api.values.sessions import (
    Session,
    SessionEnded,
    SessionFilter,
    SessionId,
    SessionPage,
)

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

blueprint = Blueprint("sessions", __name__, url_prefix="/sessions")

ROWS = Ordered(
    "SELECT *, session_id IS NOT DISTINCT FROM %(own)s::uuid AS is_own FROM analytics.sessions "
    "WHERE login = coalesce(%(owner)s, login) AND state = coalesce(%(state)s, state)",
    {"created_at": parse_time, "session_id": UUID},
    is_newest_first=True,
)


def find_owner(who: Identity) -> str | None:
    """Return whose sessions a caller may see: None for everybody's, an empty text for nobody's."""
    if who.role == Role.ADMIN:
        return None
    # A token may be called like a person, whose sessions are none of its business.
    return who.actor if who.way == "login" else ""


def end_session(connection: Connection, who: Identity, wanted: SessionId) -> Done[SessionEnded]:
    """Revoke a session. Raises NotFoundError for somebody else's, as for one that is none."""
    row = connection.execute(
        "SELECT login, state, control.end_session(session_id) AS is_new FROM analytics.sessions "
        "WHERE session_id = %s AND login = coalesce(%s, login)",
        [wanted.session_id, find_owner(who)],
    ).fetchone()
    if row is None:
        raise NotFoundError(
            f"no session {wanted.session_id}", remedy="GET /sessions lists those that you may end."
        )
    answer = SessionEnded(session_id=wanted.session_id, login=row["login"], state="ended")
    reason = f"of {row['login']}" if row["is_new"] else f"of {row['login']}, had ended already"
    return Done(answer, f"session {wanted.session_id}", reason)


END = Command(
    "sessions.end",
    Role.VIEWER,
    "End a login; its tokens are refused at once.",
    SessionId,
    SessionEnded,
    end_session,
    lambda wanted: f"session {wanted.session_id}",
)


@blueprint.get("")
@reads(SessionPage, query=SessionFilter, errors=(NotFoundError,))
def list_sessions() -> SessionPage:
    """List the caller's own logins, newest first; an admin sees everybody's."""
    wanted = read_query(request, SessionFilter)
    parameters = {
        "own": caller().session_id,
        "owner": find_owner(caller()),
        "state": wanted.state,
    }
    with services().database.statements() as connection:
        rows, cursor = read_page(connection, ROWS, wanted, parameters)
    return SessionPage(sessions=[Session(**row) for row in rows], next_cursor=cursor)


@blueprint.delete("/<session_id>")
@changes(END, path=SessionId)
def end(session_id: str) -> SessionEnded:
    """End a login of the caller; an admin may end anybody's."""
    return perform(END, lambda: read_arguments(request, SessionId, session_id=session_id))
