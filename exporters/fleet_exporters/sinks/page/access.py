"""
Who may read the page: whoever shows the fleet's scrape token.

The node agent brings the hashes of the tokens that are good. Until it has, the token that the
launcher gave is; where there is neither, only this machine itself may read.
"""

from __future__ import annotations

import ipaddress
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Access:
    """Decides on each request; hashes are sha256, hexadecimal."""

    def __init__(self, read_hashes: Callable[[], Sequence[str]] = tuple, token: str = "") -> None:
        self._read_hashes = read_hashes
        self._first = [sha256(token.encode()).hexdigest()] if token else []

    def admits(self, authorization: bytes, client: str) -> bool:
        """Return whether who sent this header from this address may read the page."""
        hashes = self._read_hashes() or self._first
        if not hashes:
            return ipaddress.ip_address(client).is_loopback
        scheme, _, token = authorization.partition(b" ")
        shown = sha256(token.strip()).hexdigest()
        found = [compare_digest(shown, known) for known in hashes]
        return scheme.lower() == b"bearer" and any(found)
