"""
Logins.

Short access tokens (JWT, HS256) over sessions in the database, whose refresh tokens change at each
use.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jwt

from fleet_control_api.callers.identity import Identity, Role, digest
from fleet_control_api.service.errors import UnauthenticatedError
from fleet_control_api.values.auth import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_timescale.connection import Connection

ACCESS_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(days=7)
NAME = "fleet-control-api"  # issuer and audience: these tokens are of no use elsewhere
PAGE = "fleet-page"  # audience of the cookie, which is of no use as an access token
PAGE_LIFE = timedelta(hours=12)
LOG_IN = "Log in again with POST /auth/login."


def now() -> datetime:
    """Return the time as an aware UTC datetime."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Sessions:
    """Opens, verifies, renews and ends sessions; `key` signs the access tokens."""

    key: str
    clock: Callable[[], datetime] = now

    def open(self, connection: Connection, login: str, role: Role) -> Tokens:
        """Begin a session and return its tokens."""
        refresh = secrets.token_urlsafe(32)
        session_id = _begin(connection, login, refresh, SESSION_LIFE)
        return self._answer(session_id, login, role, refresh)

    def renew(self, connection: Connection, refresh: str) -> tuple[str, Tokens]:
        """
        Swap a refresh token; return the login and its new tokens. Raises UnauthenticatedError.
        """
        fresh = secrets.token_urlsafe(32)
        row = connection.execute(
            "SELECT session_id, login, role::text AS role FROM control.renew_session(%s, %s)",
            [digest(refresh), digest(fresh)],
        ).fetchone()
        if row is None:
            raise UnauthenticatedError("the session has ended", remedy=LOG_IN)
        answer = self._answer(row["session_id"], row["login"], Role.parse(row["role"]), fresh)
        return row["login"], answer

    def open_page(self, connection: Connection, login: str) -> str:
        """Begin a session of a browser and return its cookie."""
        # Nobody ever has the refresh token of it.
        session_id = _begin(connection, login, secrets.token_urlsafe(32), PAGE_LIFE)
        return self._sign(session_id, login, PAGE, PAGE_LIFE)

    def identify(self, connection: Connection, token: str, audience: str = NAME) -> Identity:
        """
        Return whose access token or cookie this is, with the role as it is now.

        Raises UnauthenticatedError when it is forged or expired, or the session was revoked.
        """
        try:
            claims = _verify(token, self.key, audience)
            session_id = UUID(claims["sid"])
            is_expired = float(claims["exp"]) <= self.clock().timestamp()
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError) as exc:
            raise UnauthenticatedError("the access token is not valid", remedy=LOG_IN) from exc
        if is_expired:
            raise UnauthenticatedError(
                "the access token has expired", remedy="Renew it with POST /auth/refresh."
            )
        row = connection.execute(
            "SELECT login, role::text AS role FROM control.live_session(%s)", [session_id]
        ).fetchone()
        if row is None or row["login"] != claims["sub"]:
            raise UnauthenticatedError("the session has ended", remedy=LOG_IN)
        return Identity(row["login"], "login", Role.parse(row["role"]), session_id=session_id)

    def _answer(self, session_id: UUID, login: str, role: Role, refresh: str) -> Tokens:
        return Tokens(
            access_token=self._sign(session_id, login, NAME, ACCESS_LIFE),
            token_type="Bearer",  # noqa: S106 - a scheme, not a secret
            expires_in=int(ACCESS_LIFE.total_seconds()),
            refresh_token=refresh,
            login=login,
            role=role.word,
        )

    def _sign(self, session_id: UUID, login: str, audience: str, life: timedelta) -> str:
        issued = self.clock()
        claims = {
            "iss": NAME,
            "aud": audience,
            "sub": login,
            "sid": str(session_id),
            "iat": issued,
            "exp": issued + life,
        }
        return jwt.encode(claims, self.key, algorithm="HS256")


def _begin(connection: Connection, login: str, refresh: str, life: timedelta) -> UUID:
    """Open a session in the database and return its id."""
    session_id: UUID = connection.execute(
        "SELECT control.open_session(%s, %s, %s) AS session_id", [login, digest(refresh), life]
    ).fetchall()[0]["session_id"]
    return session_id


@lru_cache(1000)
def _verify(token: str, key: str, audience: str) -> dict[str, Any]:
    """
    Return what a token of ours claims, expired or not. Raises jwt.InvalidTokenError.

    A signature that was right stays right, and is looked at once; the rest is at each request.
    """
    return jwt.decode(
        token,
        key,
        algorithms=["HS256"],
        audience=audience,
        issuer=NAME,
        options={"require": ["exp", "iat", "sub", "sid"], "verify_exp": False},
    )


def identify_token(connection: Connection, token: str) -> Identity:
    """
    Return what an API token stands for.

    Raises UnauthenticatedError when it is unknown, expired or revoked.
    """
    row = connection.execute(
        "SELECT name, scope FROM control.use_token(%s)", [digest(token)]
    ).fetchone()
    if row is None:
        raise UnauthenticatedError(
            "the token is unknown, expired or revoked", remedy="Ask an admin for a new token."
        )
    if row["scope"] in {role.word for role in Role}:
        return Identity(row["name"], "token", Role.parse(row["scope"]))
    return Identity(row["name"], "token", scope=row["scope"])


def identify_bearer(connection: Connection, sessions: Sessions, header: str | None) -> Identity:
    """
    Return who an Authorization header speaks for; the two dots of a JWT tell it from an API token.
    """
    scheme, _, value = (header or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise UnauthenticatedError(
            "no access token was sent",
            remedy="Send the header Authorization: Bearer TOKEN; POST /auth/login gives one.",
        )
    token = value.strip()
    if token.count(".") == 2:
        return sessions.identify(connection, token)
    return identify_token(connection, token)
