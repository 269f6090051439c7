"""API tokens: what programs log in with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from fleet_control_api.values.fields import WHOLE, Answer, Request, Text
from fleet_control_api.values.paging import Listing

Scope = Literal["viewer", "operator", "admin", "sd", "metrics", "webhook"]
DAYS = 90  # of a token whose order says nothing of them
Days = Annotated[int, Field(strict=True, ge=1, le=3650), WHOLE]


class NewToken(Request):
    """A token for a program."""

    name: Text = Field(description="Stands in the audit log for who did it.")
    scope: Scope = Field(description="A role, or one narrow purpose: sd, metrics, webhook.")
    expires_in_days: Days = Field(DAYS, description="For how many days it is good.")


class TokenId(Request):
    """Which token."""

    token_id: UUID = Field(description="The id of the token, which is not the token.")


class ApiToken(Answer):
    """An API token without its secret, which nobody keeps."""

    token_id: UUID
    name: str
    scope: str
    state: str = Field(description="live, expired or revoked.")
    created_by: str
    created_at: datetime
    expires_at: datetime | None = Field(description="null for those that fleet itself renews.")
    last_used_at: datetime | None = Field(description="To the minute.")
    revoked_at: datetime | None


class MadeToken(ApiToken):
    """A new token."""

    token: str | None = Field(
        None, description="The secret, shown once; null when its idempotency key is sent again."
    )


class TokenPage(Listing):
    """API tokens, by name."""

    tokens: list[ApiToken]
