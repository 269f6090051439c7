"""People who log in: made, edited, invited by admins; never removed, as the audit names them."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fleet_control_api.callers.identity import Identity, Role, digest
from fleet_control_api.callers.passwords import hash_password
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.arguments import parse, read_query
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.paging import Page, parse_name
from fleet_control_api.values.users import (
    Invitation,
    MadeUser,
    NewUser,
    PasswordSet,
    User,
    UserEdit,
    UserName,
    UserPage,
)

if TYPE_CHECKING:
    from typing import Any

    from fleet_timescale.connection import Connection

blueprint = Blueprint("users", __name__, url_prefix="/users")

INVITED = timedelta(hours=24)  # for so long an invitation is good
USERS = (
    "SELECT u.login, u.role::text AS role, u.is_disabled, u.password_hash IS NOT NULL AS "
    "has_password, u.version, u.created_at, u.changed_at, (SELECT count(*) FROM analytics.sessions "
    "s WHERE s.login = u.login AND s.state = 'live') AS sessions FROM control.users u"
)
ROWS = Ordered(USERS, {"login": parse_name})


def make_user(connection: Connection, who: Identity, wanted: NewUser) -> Done[MadeUser]:
    """Make a user with a password, or with an invitation to choose one."""
    given = wanted.password
    connection.execute(
        "SELECT control.create_user(%s, %s, %s)",
        [wanted.login, wanted.role, hash_password(given.get_secret_value()) if given else None],
    )
    invitation = None if given else _invite(connection, who, wanted.login)
    answer = MadeUser(**load_user(connection, wanted.login), invitation=invitation)
    said = "with a password" if given else "with an invitation"
    return Done(answer, f"user {wanted.login}", f"{wanted.role}, {said}")


def edit_user(connection: Connection, _: Identity, wanted: UserEdit) -> Done[User]:
    """Change role, disable, enable."""
    connection.execute(
        "SELECT control.edit_user(%s, %s, %s, %s)",
        [wanted.login, wanted.version, wanted.role, wanted.is_disabled],
    )
    said = [] if wanted.role is None else [f"role {wanted.role}"]
    if wanted.is_disabled is not None:
        said.append("disabled" if wanted.is_disabled else "enabled")
    answer = User(**load_user(connection, wanted.login))
    return Done(answer, f"user {wanted.login}", ", ".join(said) or "nothing to change")


def set_password(connection: Connection, _: Identity, wanted: PasswordSet) -> Done[User]:
    """Give a user a password."""
    hashed = hash_password(wanted.password.get_secret_value())
    connection.execute("SELECT control.set_password(%s, %s)", [wanted.login, hashed])
    answer = User(**load_user(connection, wanted.login))
    return Done(answer, f"user {wanted.login}", "password set by an admin, sessions ended")


def invite_user(connection: Connection, who: Identity, wanted: UserName) -> Done[Invitation]:
    """Let a user choose a password, once."""
    answer = _invite(connection, who, wanted.login)
    return Done(answer, f"user {wanted.login}", f"until {answer.expires_at:%Y-%m-%d %H:%M} UTC")


def _invite(connection: Connection, who: Identity, login: str) -> Invitation:
    code = secrets.token_urlsafe(24)
    row = connection.execute(
        "SELECT control.invite_user(%s, %s, %s, %s) AS expires_at",
        [login, digest(code), who.actor, INVITED],
    ).fetchall()[0]
    url = f"{services().settings.public_url}/password?code={code}"
    return Invitation(login=login, code=code, url=url, expires_at=row["expires_at"])


def load_user(connection: Connection, login: str) -> dict[str, Any]:
    """Return a user who exists."""
    return connection.execute(f"{USERS} WHERE u.login = %s", [login]).fetchall()[0]


def _name_target(wanted: NewUser | UserName) -> str:
    return f"user {wanted.login}"


MAKE = Command(
    "users.make", Role.ADMIN, "Make a user.", NewUser, MadeUser, make_user, _name_target,
    secrets={"invitation": {"code": True, "url": True}},
)  # fmt: skip
EDIT = Command("users.edit", Role.ADMIN, "Change a user.", UserEdit, User, edit_user, _name_target)
SET_PASSWORD = Command(
    "users.set_password", Role.ADMIN, "Give a user a password.", PasswordSet, User, set_password,
    _name_target,
)  # fmt: skip
INVITE = Command(
    "users.invite", Role.ADMIN, "Let a user choose a password.", UserName, Invitation, invite_user,
    _name_target, secrets={"code": True, "url": True},
)  # fmt: skip


@blueprint.get("")
@reads(UserPage, Role.ADMIN, query=Page, errors=(NotFoundError,))
def list_users() -> UserPage:
    """List the people who may log in, by name."""
    wanted = read_query(request, Page)
    with services().database.statements() as connection:
        rows, cursor = read_page(connection, ROWS, wanted, {})
    return UserPage(users=[User(**row) for row in rows], next_cursor=cursor)


@blueprint.post("")
@changes(MAKE, status=201)
def make() -> tuple[MadeUser, int, dict[str, str]]:
    """Make a user, with a password or with an invitation to choose one."""
    made = perform(MAKE, lambda: read_arguments(request, NewUser))
    return made, 201, {"Location": f"{request.path}/{made.login}"}


@blueprint.get("/<login>")
@reads(User, Role.ADMIN, path=UserName, errors=(NotFoundError,))
def show_user(login: str) -> User:
    """Show one user."""
    wanted = parse(UserName, {"login": login}).login
    with services().database.statements() as connection:
        row = connection.execute(f"{USERS} WHERE u.login = %s", [wanted]).fetchone()
    if row is None:
        raise NotFoundError(f"no user {wanted}", remedy="GET /users lists all users.")
    return User(**row)


@blueprint.post("/<login>")
@changes(EDIT, path=UserName)
def edit(login: str) -> User:
    """Change a user's role, disable or enable; the last admin stays one."""
    return perform(EDIT, lambda: read_arguments(request, UserEdit, login=login))


@blueprint.post("/<login>/password")
@changes(SET_PASSWORD, path=UserName)
def change_password(login: str) -> User:
    """Give a user a password; the user's sessions end."""
    return perform(SET_PASSWORD, lambda: read_arguments(request, PasswordSet, login=login))


@blueprint.post("/<login>/invite")
@changes(INVITE, path=UserName)
def invite(login: str) -> Invitation:
    """Let a user choose a password with a code that is good once, for a day."""
    return perform(INVITE, lambda: read_arguments(request, UserName, login=login))
