"""
What the exporter says in state.json: whether the machine's owner needs it, how fast we may work.

Also looked at while a conversation is being written: a game must not wait for its end.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleet_orchestrator import runtime

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path
    from typing import Any

FILE = "state.json"
# The server may be silent for half a second before we are asked: together below one second.
LOOK_SECONDS = 0.25
BLIND_FACTOR = 0.6  # that of a warm device, which is what an unread one counts as


def read_state(folder: Path, stale: timedelta | None = runtime.STALE) -> dict[str, Any] | None:
    """Return what the exporter says; None where it says nothing, or nothing fresh enough."""
    return runtime.read(folder / FILE, datetime.now(UTC), stale)


def is_gaming(folder: Path) -> bool:
    """Return whether the owner plays, as far as the exporter has told last."""
    state = read_state(folder, stale=None) or {}
    return state.get("mode") == "gaming"


def read_throttle_factor(folder: Path) -> float:
    """
    Return what the exporter says of activity and heat; 1 where there is no exporter.

    When it has fallen silent nobody watches the heat: we go on slowly, never faster than it last
    allowed.
    """
    state = read_state(folder)
    last = state or read_state(folder, stale=None) or {}
    factor = last.get("throttle_factor")
    allowed = float(factor) if isinstance(factor, int | float) else 1.0
    return allowed if state or not last else min(allowed, BLIND_FACTOR)


class Owner:
    """
    Asked as often as one likes; reads the file a few times a second.

    One conversation, one Owner: once cut, a conversation stays cut, whatever the file says next.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._look_at = clock()
        self._has_cut = False

    def has_cut(self) -> bool:
        """Return whether the running call must end; false while the exporter says nothing fresh."""
        if not self._has_cut and self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_SECONDS
            state = read_state(self._folder) or {}
            self._has_cut = state.get("mode") == "gaming" or state.get("must_cut") is True
        return self._has_cut
