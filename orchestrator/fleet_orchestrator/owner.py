"""
Whether the machine's owner needs it now, as the exporter says in state.json.

Looked at while a conversation is being written: a game must not wait for its end.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleet_orchestrator import runtime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# The server may be silent for half a second before we are asked: together below one second.
LOOK_SECONDS = 0.25


class Owner:
    """
    Asked as often as one likes; reads the file a few times a second.

    One conversation, one Owner: once cut, a conversation stays cut, whatever the file says next.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = folder / "state.json"
        self._clock = clock
        self._look_at = clock()
        self._has_cut = False

    def has_cut(self) -> bool:
        """Return whether the running call must end; false while the exporter says nothing fresh."""
        if not self._has_cut and self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_SECONDS
            state = runtime.read(self._path, datetime.now(UTC)) or {}
            self._has_cut = state.get("mode") == "gaming" or state.get("must_cut") is True
        return self._has_cut
