"""People choose their own passwords: with an invitation, or in place of the present one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, request

from fleet_control_api.audit.attempts import record_anonymous, write_done
from fleet_control_api.callers.identity import Identity, Role, digest
from fleet_control_api.callers.passwords import hash_password, is_password
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, public
from fleet_control_api.routes.auth import REFUSALS, limit_logins, read_anonymous
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import ConflictError, RefusedError, UnauthenticatedError
from fleet_control_api.values.auth import Acceptance, PasswordChange, PasswordChanged
from fleet_control_api.values.body import read_arguments

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

blueprint = Blueprint("passwords", __name__, url_prefix="/auth")


@blueprint.post("/invitation")
@public(PasswordChanged, body=Acceptance, errors=REFUSALS)
def accept() -> PasswordChanged:
    """Choose a password with the code of an invitation, which is good once."""
    limit_logins("")
    return accept_invitation(read_anonymous("auth.invitation", Acceptance))


def accept_invitation(sent: Acceptance) -> PasswordChanged:
    """Set the password. Raises UnauthenticatedError after the attempt was recorded."""
    # Hashed first, and outside of the transaction: a wrong code takes as long as a right one.
    hashed = hash_password(sent.password.get_secret_value())
    with services().database.transaction() as connection:
        row = connection.execute(
            "SELECT login, role::text AS role FROM control.accept_invitation(%s, %s)",
            [digest(sent.code.get_secret_value()), hashed],
        ).fetchone()
        if row is not None:
            who = Identity(row["login"], "login", Role.parse(row["role"]))
            write_done(connection, who, "auth.invitation", who.actor)
    if row is None:
        error = UnauthenticatedError(
            "the invitation is unknown, used or expired", remedy="Ask an admin for a new one."
        )
        record_anonymous("auth.invitation", str(error))
        raise error
    return PasswordChanged(login=row["login"])


def change_password(
    connection: Connection, who: Identity, sent: PasswordChange
) -> Done[PasswordChanged]:
    """Swap the caller's password; the session of this request goes on, all others end."""
    if who.session_id is None:
        raise ConflictError(
            "an API token has no password", remedy="Use the access token of a login."
        )
    limit_logins(who.actor)
    row = connection.execute(
        "SELECT password_hash FROM control.users WHERE login = %s", [who.actor]
    ).fetchone()
    if not is_password(sent.password.get_secret_value(), row["password_hash"] if row else None):
        raise RefusedError("the present password is wrong", remedy="An admin can set a new one.")
    hashed = hash_password(sent.new_password.get_secret_value())
    connection.execute(
        "SELECT control.set_password(%s, %s, %s)", [who.actor, hashed, who.session_id]
    )
    return Done(PasswordChanged(login=who.actor), who.actor, "other sessions ended")


CHANGE = Command(
    "auth.password",
    Role.VIEWER,
    "Change the caller's password.",
    PasswordChange,
    PasswordChanged,
    change_password,
    lambda _: "password",
)


@blueprint.post("/password")
@changes(CHANGE)
def change() -> PasswordChanged:
    """Change the caller's own password; all other sessions end."""
    return perform(CHANGE, lambda: read_arguments(request, PasswordChange))
