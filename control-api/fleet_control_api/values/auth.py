"""Logins."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from fleet_control_api.values.fields import Answer, NewPassword, Request, Secret, Text


class Credentials(Request):
    """A user's name and password."""

    login: Text = Field(description="The name of the user.")
    password: Secret = Field(description="The user's password.")


class Renewal(Request):
    """What a login is renewed with."""

    refresh_token: Secret = Field(description="The refresh token of the last answer.")


class Acceptance(Request):
    """A password chosen with the code of an invitation."""

    code: Secret = Field(description="The code of the invitation; it is good once.")
    password: NewPassword = Field(description="The password to log in with from now on.")


class PasswordChange(Request):
    """A new password in place of the present one."""

    password: Secret = Field(description="The present password.")
    new_password: NewPassword = Field(description="The password to log in with from now on.")


class Tokens(Answer):
    """The tokens of a session."""

    access_token: str
    token_type: str
    expires_in: int = Field(description="Seconds for which the access token is valid.")
    refresh_token: str = Field(description="Renews the session once, within 7 days.")
    login: str
    role: str


class LoggedOut(Answer):
    """Which session has ended."""

    state: str
    login: str


class PasswordChanged(Answer):
    """Whose password is new."""

    login: str


class Caller(Answer):
    """Who calls."""

    name: str = Field(description="The login of a person, or the name of an API token.")
    role: str
    way: Literal["login", "token"]
    session_id: UUID | None = Field(description="null for a token.")
    expires_at: datetime | None = Field(description="null for tokens that fleet itself renews.")
