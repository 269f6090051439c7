"""
Debounce: the second press of a double click is answered with the first.

Kept in memory, since the API is one process.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

SECONDS = 2.0  # between the end of a press and its repeat, at most

Result = TypeVar("Result")


@dataclass
class _Press(Generic[Result]):
    done_at: float  # until then when it began
    done: Result | None = None
    lock: Lock = field(default_factory=Lock)  # the second press waits until the first is done
    change: int = 0  # the number of its change


class Debounce(Generic[Result]):
    """
    Remembers the result of each press for two seconds, or until something else changes.

    So pause, resume, pause are three changes, however fast they follow each other.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._presses: dict[Hashable, _Press[Result]] = {}
        self._changes = 0

    def count_change(self) -> None:
        """Note that something was changed by other means than a press."""
        with self._lock:
            self._changes += 1

    def once(self, key: Hashable, change: Callable[[], Result]) -> tuple[Result, bool]:
        """
        Return the result of the change, and whether it is that of an earlier press.

        When `change` raises, nothing is remembered: the next press tries again.
        """
        with self._lock:
            self._forget()
            press = self._presses.setdefault(key, _Press(self._clock()))
        with press.lock:
            with self._lock:
                before = self._changes
                if press.done is not None and press.change == before and self._is_fresh(press):
                    return press.done, True
            done = change()
            with self._lock:
                self._changes += 1
                # If another change ended meanwhile, that one may be the later: remember nothing.
                press.done = done if self._changes == before + 1 else None
                press.done_at, press.change = self._clock(), self._changes
            return done, False

    def _is_fresh(self, press: _Press[Result]) -> bool:
        return self._clock() - press.done_at <= SECONDS

    def _forget(self) -> None:
        self._presses = {
            key: press
            for key, press in self._presses.items()
            if press.lock.locked() or self._is_fresh(press)
        }
