"""
Who has just shown that they are logged in: asked of the database once a second, not each time.

Whatever is changed through this API counts at once; a login that is revoked past it, by SQL, is
good for a second more.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_control_api.callers.identity import Identity

SECONDS = 1.0
CALLERS_MAX = 1000  # remembered at a time


class RecentCallers:
    """The callers of the last second, by the header that they sent; for all threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._seen: dict[str, tuple[float, Identity]] = {}
        self._changes = 0

    def find(self, header: str, identify: Callable[[], Identity]) -> Identity:
        """Return who sent the header, as `identify` finds out if nobody knows."""
        with self._lock:
            until, identity = self._seen.get(header, (0.0, None))
            changes = self._changes
        if identity is not None and self._clock() < until:
            return identity
        began = self._clock()
        identity = identify()
        with self._lock:
            # What was changed meanwhile may be this login.
            if changes == self._changes:
                if len(self._seen) >= CALLERS_MAX:
                    self._seen.clear()
                self._seen[header] = (began + SECONDS, identity)
        return identity

    def forget(self) -> None:
        """Forget everybody: something was changed, perhaps their logins."""
        with self._lock:
            self._seen.clear()
            self._changes += 1
