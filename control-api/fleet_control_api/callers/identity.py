"""
Who calls.

A person with a login, a program with a token, or a person behind Grafana; and what they may do.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


class Role(IntEnum):
    """Each role may do all that the one before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The role as the database and people write it."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Role:
        """Return the role of a word; KeyError for any other."""
        return cls[word.upper()]


@dataclass(frozen=True)
class Identity:
    """An authenticated caller; `way` is how: login, token or grafana."""

    actor: str
    way: str
    role: Role | None = None
    scope: str = ""  # of a token for one narrow purpose, which holds no role
    session_id: UUID | None = None  # of a login

    @property
    def role_word(self) -> str:
        """Role or scope, for the audit log."""
        return self.role.word if self.role else self.scope or "none"


ANONYMOUS = Identity("unknown", "none")


@dataclass(frozen=True)
class Access:
    """What a route asks of its caller. Without a role and scopes it is public."""

    role: Role | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    is_button: bool = False  # only through Grafana's data source
    action: str = ""  # of the audit log; empty for what changes nothing

    @property
    def is_public(self) -> bool:
        """True for routes that anybody may call."""
        return self.role is None and not self.scopes

    def allows(self, identity: Identity) -> bool:
        """True when this caller may do it."""
        if identity.role is None:
            return identity.scope in self.scopes
        return self.role is not None and identity.role >= self.role

    def needs(self) -> str:
        """Say what would be needed, for the refusal."""
        if self.role is None:
            return f"a token of scope {' or '.join(sorted(self.scopes))}"
        return f"the role {self.role.word}"


def digest(secret: str) -> bytes:
    """
    Return what the database keeps of a token: its sha256. Tokens are random, so no salt is needed.
    """
    return hashlib.sha256(secret.encode()).digest()
