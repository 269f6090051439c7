"""Passwords as argon2id hashes. The launcher makes the first one with hash_password."""

from __future__ import annotations

from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's first choice for argon2id: 19 MiB, 2 passes. More would help an attacker to exhaust ours.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_AT_ONCE = BoundedSemaphore(4)  # 32 threads that hash at the same time would starve everything else


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def is_password(password: str, stored_hash: str | None) -> bool:
    """
    True when the password belongs to the hash.

    For an unknown user (None) the work is done all the same, so that the answer's delay tells
    nothing.
    """
    with _AT_ONCE:
        try:
            is_right = _HASHER.verify(stored_hash or _dummy_hash(), password)
        except (VerificationError, InvalidHashError):
            return False
    return is_right and stored_hash is not None


@cache
def _dummy_hash() -> str:
    return _HASHER.hash("the password of nobody")  # not hash_password: its place is taken already
