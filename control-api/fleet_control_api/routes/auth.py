"""
Log in, renew, log out.

Every attempt is in the audit log; those beyond the rate limit are counted there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, request

from fleet_control_api.audit import log as audit
from fleet_control_api.audit.attempts import (
    limit_changes,
    record_anonymous,
    record_attempt,
    write_done,
)
from fleet_control_api.callers.identity import ANONYMOUS, Identity, Role, digest
from fleet_control_api.callers.passwords import is_password
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, public, reads
from fleet_control_api.service.context import LOGINS_OF_SOURCE, caller, services, source
from fleet_control_api.service.errors import (
    ApiError,
    ConflictError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)
from fleet_control_api.values.auth import Caller, Credentials, LoggedOut, Renewal, Tokens
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.fields import Nothing

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

    from fleet_control_api.values.arguments import Values

blueprint = Blueprint("auth", __name__, url_prefix="/auth")

REFUSALS = (UnauthenticatedError, TooManyError, UnavailableError)


@blueprint.post("/login")
@public(Tokens, body=Credentials, errors=REFUSALS)
def login() -> Tokens:
    """Begin a session: an access token for 15 minutes, a refresh token for 7 days."""
    limit_logins("")
    who = check_credentials(read_anonymous("auth.login", Credentials))
    with services().database.transaction() as connection:
        answer = services().sessions.open(connection, who.actor, who.role or Role.VIEWER)
        write_done(connection, who, "auth.login", who.actor)
    services().metrics.attempts.labels("auth.login", "done").inc()
    return answer


def check_credentials(sent: Credentials) -> Identity:
    """
    Return whose password it is. Raises UnauthenticatedError, TooManyError after recording it.
    """
    name = sent.login.lower()
    limit_logins(name)
    with services().database.statements() as connection:
        user = connection.execute(
            "SELECT password_hash, role::text AS role FROM control.users "
            "WHERE login = %s AND NOT is_disabled",
            [name],
        ).fetchone()
    password = sent.password.get_secret_value()
    if not is_password(password, user["password_hash"] if user else None) or user is None:
        # A password typed into the wrong field must not reach the log: only known names do.
        target = name if user else "an unknown user"
        error = UnauthenticatedError("login or password is wrong")
        record_attempt(
            ANONYMOUS, "auth.login", target, "refused", str(error), own_rows=LOGINS_OF_SOURCE
        )
        raise error
    return Identity(name, "login", Role.parse(user["role"]))


@blueprint.post("/refresh")
@public(Tokens, body=Renewal, errors=REFUSALS)
def refresh() -> Tokens:
    """Swap a refresh token for new tokens; the old one ends the session if it comes again."""
    token = read_anonymous("auth.refresh", Renewal).refresh_token.get_secret_value()
    try:
        with services().database.transaction() as connection:
            name, answer = services().sessions.renew(connection, token)
            who = Identity(name, "login", Role.parse(answer.role))
            limit_changes(who, "auth.refresh", services().refreshes)
            write_done(connection, who, "auth.refresh", name)
    except UnauthenticatedError as exc:
        if not end_copied_session(token):
            record_anonymous("auth.refresh", str(exc))
        raise
    return answer


def end_copied_session(token: str) -> bool:
    """
    End the session of a refresh token that was used before; True when it was one.

    Two have it, and nobody can tell which of them is the thief: both have to log in again.
    """
    with services().database.transaction() as connection:
        row = connection.execute(
            "SELECT control.end_copied_session(%s) AS login", [digest(token)]
        ).fetchall()[0]
        if row["login"] is None:
            return False
        said = "a refresh token was used a second time: the session has ended"
        who = Identity(row["login"], "login")
        audit.write(
            connection, audit.Entry(who, "auth.refresh", who.actor, "refused", said, source())
        )
    return True


def end_session(connection: Connection, who: Identity, _: Nothing) -> Done[LoggedOut]:
    """Revoke the caller's session. Raises ConflictError for tokens, which have none."""
    if who.session_id is None:
        raise ConflictError(
            "an API token has no session to end", remedy="Log out with the access token of a login."
        )
    connection.execute("SELECT control.end_session(%s)", [who.session_id])
    return Done(LoggedOut(state="logged out", login=who.actor), who.actor, "")


LOGOUT = Command(
    "auth.logout",
    Role.VIEWER,
    "End the caller's session.",
    Nothing,
    LoggedOut,
    end_session,
    lambda _: "session",
)


@blueprint.post("/logout")
@changes(LOGOUT)
def logout() -> LoggedOut:
    """End the session: its access and refresh tokens are refused from now on."""
    return perform(LOGOUT, lambda: read_arguments(request, Nothing))


@blueprint.get("/whoami")
@reads(Caller)
def whoami() -> Caller:
    """Say who calls, with which role, and until when what was shown is good."""
    who = caller()
    with services().database.statements() as connection:
        row = connection.execute(
            "SELECT expires_at FROM analytics.sessions WHERE session_id = %(session)s "
            "UNION ALL SELECT expires_at FROM control.tokens "
            "WHERE %(session)s::uuid IS NULL AND name = %(name)s",
            {"session": who.session_id, "name": who.actor},
        ).fetchone()
    return Caller(
        name=who.actor,
        role=who.role_word,
        way="token" if who.session_id is None else "login",
        session_id=who.session_id,
        expires_at=row["expires_at"] if row else None,
    )


def read_anonymous(action: str, model: type[Values]) -> Values:
    """Return what was sent. A body that cannot be read is recorded as an attempt as well."""
    try:
        return read_arguments(request, model)
    except ApiError as exc:
        # The message may repeat a password that stands in the wrong place; the title never does.
        record_anonymous(action, exc.title.lower())
        raise


def limit_logins(name: str) -> None:
    """Count an attempt of this address, or at this name. Raises TooManyError past the limit."""
    limit, key = services().logins_by_source, source() or ""
    if name:
        limit, key = services().logins_by_name, name
    wait = limit.take(key)
    if wait:
        error = TooManyError("too many login attempts", remedy="Wait.", retry_seconds=wait)
        record_anonymous("auth.login", str(error))
        raise error
