"""People who log in, as admins see and edit them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from fleet_control_api.values.fields import INTEGER_MAX, WHOLE, Answer, Login, NewPassword, Request
from fleet_control_api.values.paging import Listing

RoleName = Literal["viewer", "operator", "admin"]
Version = Annotated[int, Field(strict=True, ge=1, le=INTEGER_MAX), WHOLE]
NAMES = "Up to 63 of a-z, 0-9 and . _ @ -, the first a letter or a digit."


class NewUser(Request):
    """A person who may log in from now on."""

    login: Login = Field(description=NAMES)
    role: RoleName = Field(description="viewer reads, operator steers, admin does everything.")
    password: NewPassword | None = Field(
        None, description="Left out, an invitation lets the person choose one."
    )


class UserName(Request):
    """Which user."""

    login: Login = Field(description=NAMES)


class UserEdit(UserName):
    """What to change of a user; what is left out stays."""

    version: Version = Field(description="The version that you saw: the edit of another is kept.")
    role: RoleName | None = Field(None, description="The role from now on.")
    is_disabled: bool | None = Field(
        None, strict=True, description="true: no login any more, and the sessions end at once."
    )


class PasswordSet(UserName):
    """A password that an admin gives."""

    password: NewPassword = Field(description="The password to log in with from now on.")


class User(Answer):
    """A person who may log in."""

    login: str
    role: str = Field(description="viewer, operator or admin.")
    is_disabled: bool
    has_password: bool = Field(description="False until an invitation is accepted.")
    version: int = Field(description="To be named by whoever edits.")
    sessions: int = Field(description="How many are live.")
    created_at: datetime
    changed_at: datetime


class Invitation(Answer):
    """How a person chooses a password, once."""

    login: str
    code: str | None = Field(
        None, description="Shown once; null when its idempotency key is sent again."
    )
    url: str | None = Field(None, description="The page for it; it is for that person only.")
    expires_at: datetime


class MadeUser(User):
    """A new user, with the invitation if no password was given."""

    invitation: Invitation | None


class UserPage(Listing):
    """People who may log in, by name."""

    users: list[User]
