"""Print what a command is doing: one line per step, with the seconds since the command started."""

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
        """Print one step."""
        with self.lock:
            print(f"{self.seconds:6.1f} s  {text}{self._rest()}", file=self.stream, flush=True)

    def plain(self, text: str = "") -> None:
        """Print a line without a time."""
        with self.lock:
            print(f"{text}{self._rest()}", file=self.stream, flush=True)

    def _rest(self) -> str:
        """Return what clears the rest of a terminal line, where a progress bar may be."""
        return CLEAR_TO_END if self.stream.isatty() else ""


def say(text: str) -> None:
    """Print the answer of a command."""
    print(text, file=sys.stdout, flush=True)  # noqa: T201 - the one place that does


def begin() -> Progress:
    """Return a Progress that counts from the start of this process, which `./fleet` has become."""
    return Progress(psutil.Process().create_time())
