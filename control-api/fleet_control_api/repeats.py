"""
Double clicks: the same press of the same person is carried out once.

Kept in memory: the API is one process.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from fleet_control_api.commands import Done

SECONDS = 2.0  # between the end of a press and its repeat, at most


@dataclass
class _Press:
    done_at: float  # until then when it began
    done: Done | None = None
    lock: Lock = field(default_factory=Lock)  # the second press waits until the first is done
    change: int = 0  # the number of its change


class Repeats:
    """
    Remembers each press for two seconds, and only until anything else was changed.

    So that pause, resume, pause is three changes, however fast.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._presses: dict[Hashable, _Press] = {}
        self._changes = 0

    def count_change(self) -> None:
        """Say that something was changed by another way than a press."""
        with self._lock:
            self._changes += 1

    def once(self, key: Hashable, change: Callable[[], Done]) -> tuple[Done, bool]:
        """
        Return what the change did, and whether that was the press before, repeated by this one.

        What `change` raises is not remembered: after a failure the next press tries again.
        """
        with self._lock:
            self._forget()
            press = self._presses.setdefault(key, _Press(self._clock()))
        with press.lock:
            with self._lock:
                before = self._changes
                if press.done and press.change == before and self._is_fresh(press):
                    return press.done, True
            done = change()
            with self._lock:
                self._changes += 1
                # Another change that ended meanwhile may be the later one: then nothing repeats.
                press.done = done if self._changes == before + 1 else None
                press.done_at, press.change = self._clock(), self._changes
            return done, False

    def _is_fresh(self, press: _Press) -> bool:
        return self._clock() - press.done_at <= SECONDS

    def _forget(self) -> None:
        self._presses = {
            key: press
            for key, press in self._presses.items()
            if press.lock.locked() or self._is_fresh(press)
        }
