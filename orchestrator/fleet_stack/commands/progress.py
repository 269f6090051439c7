"""
What `up` and `down` say while they work: one line a fact, with the seconds since the command began.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TextIO

import psutil

CLEAR_TO_END = "\x1b[K"


@dataclass
class Progress:
    """Prints lines; safe to be called from several threads."""

    began: float  # seconds since the epoch
    stream: TextIO = field(default_factory=lambda: sys.stdout)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seconds(self) -> float:
        """The time since the command began."""
        return time.time() - self.began

    def __call__(self, text: str) -> None:
        """Print one fact."""
        with self.lock:
            print(f"{self.seconds:6.1f} s  {text}{self._rest()}", file=self.stream, flush=True)

    def plain(self, text: str = "") -> None:
        """Print a line without a time."""
        with self.lock:
            print(f"{text}{self._rest()}", file=self.stream, flush=True)

    def _rest(self) -> str:
        """Return what clears the rest of a terminal's line, where a bar may have stood."""
        return CLEAR_TO_END if self.stream.isatty() else ""


def say(text: str) -> None:
    """Print what was asked for."""
    print(text, file=sys.stdout, flush=True)  # noqa: T201 - the one place that does


def begin() -> Progress:
    """
    Return a Progress that began with this process.

    `./fleet` becomes this process, so its own work counts too.
    """
    return Progress(psutil.Process().create_time())
