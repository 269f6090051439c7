"""Logins that are open or have been."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from fleet_control_api.values.fields import Answer, Request
from fleet_control_api.values.paging import Listing, Page


class SessionFilter(Page):
    """Which sessions to list."""

    state: Literal["live", "expired", "ended"] | None = Field(
        None, description="Only sessions in this state."
    )


class SessionId(Request):
    """Which session."""

    session_id: UUID = Field(description="The id of the session.")


class Session(Answer):
    """A login of a person."""

    session_id: UUID
    login: str
    role: str
    state: str = Field(description="live, expired or ended.")
    is_own: bool = Field(description="True for the session of this request.")
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class SessionEnded(Answer):
    """Which session has ended."""

    session_id: UUID
    login: str
    state: str


class SessionPage(Listing):
    """Logins, newest first."""

    sessions: list[Session]
