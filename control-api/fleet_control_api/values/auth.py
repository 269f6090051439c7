"""Logins."""

from __future__ import annotations

from pydantic import Field

from fleet_control_api.values.fields import Answer, Request, Secret, Text


class Credentials(Request):
    """A user's name and password."""

    login: Text = Field(description="The name of the user.")
    password: Secret = Field(description="The user's password.")


class Renewal(Request):
    """What a login is renewed with."""

    refresh_token: Secret = Field(description="The refresh token of the last answer.")


class Nothing(Request):
    """No values at all."""


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
