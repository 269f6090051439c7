"""API tokens: made, listed and revoked by admins. The secret is shown once and kept as its hash."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fleet_control_api.callers.identity import Identity, Role, digest
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.arguments import read_query
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.paging import Page, parse_name
from fleet_control_api.values.tokens import ApiToken, MadeToken, NewToken, TokenId, TokenPage

if TYPE_CHECKING:
    from typing import Any
    from uuid import UUID

    from fleet_timescale.connection import Connection

blueprint = Blueprint("tokens", __name__, url_prefix="/tokens")

TOKENS = (
    "SELECT token_id, name, scope, created_by, created_at, expires_at, last_used_at, revoked_at, "
    "CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' "
    "ELSE 'live' END AS state FROM control.tokens"
)
ROWS = Ordered(TOKENS, {"name": parse_name})


def make_token(connection: Connection, who: Identity, wanted: NewToken) -> Done[MadeToken]:
    """Make a token; the answer is the only place where its secret stands."""
    token = f"fleet_{secrets.token_urlsafe(32)}"
    lifetime = timedelta(days=wanted.expires_in_days)
    row = connection.execute(
        "SELECT control.create_token(%s, %s, %s, %s, %s) AS token_id",
        [wanted.name, digest(token), wanted.scope, who.actor, lifetime],
    ).fetchall()[0]
    answer = MadeToken(**load_token(connection, row["token_id"]), token=token)
    said = f"scope {wanted.scope}, until {answer.expires_at:%Y-%m-%d}"
    return Done(answer, f"token {wanted.name}", said)


def revoke_token(connection: Connection, _: Identity, wanted: TokenId) -> Done[ApiToken]:
    """Make a token worth nothing."""
    row = connection.execute(
        "SELECT control.revoke_token(%s) AS name", [wanted.token_id]
    ).fetchall()[0]
    answer = ApiToken(**load_token(connection, wanted.token_id))
    return Done(answer, f"token {row['name']}", "revoked")


def load_token(connection: Connection, token_id: UUID) -> dict[str, Any]:
    """Return a token that exists."""
    return connection.execute(f"{TOKENS} WHERE token_id = %s", [token_id]).fetchall()[0]


MAKE = Command(
    "tokens.make",
    Role.ADMIN,
    "Make an API token.",
    NewToken,
    MadeToken,
    make_token,
    lambda wanted: f"token {wanted.name}",
    secrets={"token": True},
)
REVOKE = Command(
    "tokens.revoke",
    Role.ADMIN,
    "Make an API token worth nothing.",
    TokenId,
    ApiToken,
    revoke_token,
    lambda wanted: f"token {wanted.token_id}",
)


@blueprint.get("")
@reads(TokenPage, Role.ADMIN, query=Page, errors=(NotFoundError,))
def list_tokens() -> TokenPage:
    """List API tokens by name, without their secrets."""
    wanted = read_query(request, Page)
    with services().database.statements() as connection:
        rows, cursor = read_page(connection, ROWS, wanted, {})
    return TokenPage(tokens=[ApiToken(**row) for row in rows], next_cursor=cursor)


@blueprint.post("")
@changes(MAKE, status=201)
def make() -> tuple[MadeToken, int, dict[str, str]]:
    """Make an API token for a program; its secret is in this answer and nowhere else."""
    made = perform(MAKE, lambda: read_arguments(request, NewToken))
    return made, 201, {"Location": f"{request.path}/{made.token_id}"}


@blueprint.delete("/<token_id>")
@changes(REVOKE, path=TokenId)
def revoke(token_id: str) -> ApiToken:
    """Make an API token worth nothing, at once."""
    return perform(REVOKE, lambda: read_arguments(request, TokenId, token_id=token_id))
