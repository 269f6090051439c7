"""
Show the progress of downloads: bars on a terminal, elsewhere a line every ten seconds.

Several threads may report; on a terminal they share one line.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from fleet_stack.fetch.tasks import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable

LINE_INTERVAL = 10.0  # seconds; a log that is read later needs few lines
BAR_INTERVAL = 0.1  # seconds
BAR_CELLS = 20
MEGABYTE = 1_000_000


def render_amount(label: str, done: int, total: int) -> str:
    """Return `label 12/491 MB`, or only what is done while the total is unknown (0)."""
    amount = f"{done // MEGABYTE}/{total // MEGABYTE} MB" if total else f"{done // MEGABYTE} MB"
    return f"{label} {amount}"


def render_bar(label: str, done: int, total: int) -> str:
    """Return the amount, after a bar when the total is known."""
    filled = min(BAR_CELLS, BAR_CELLS * done // total) if total else 0
    bar = f"[{'#' * filled}{'.' * (BAR_CELLS - filled)}] " if total else ""
    return bar + render_amount(label, done, total)


@dataclass
class DownloadProgress:
    """
    Receives the progress of long work, and tells the work that it was cancelled.

    `report` prints a line.
    """

    report: Callable[[str], None]
    stop: threading.Event = field(default_factory=threading.Event)
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _active: dict[str, tuple[int, int]] = field(default_factory=dict)
    _shown_at: dict[str, float] = field(default_factory=dict)

    def show(self, label: str, done: int, total: int) -> None:
        """
        Report that `done` of `total` bytes have arrived. Raises CancelledError once `stop` is set.
        """
        if self.stop.is_set():
            raise CancelledError(f"{label} was cancelled; run the same command again to go on")
        with self._lock:
            is_new = label not in self._active
            self._active[label] = (done, total)
            if self.stream.isatty():
                if self._is_due("", BAR_INTERVAL):
                    self._draw()
            elif is_new:
                self._shown_at[label] = self.clock()  # work that ends soon needs no line
            elif self._is_due(label, LINE_INTERVAL):
                self.report(render_amount(label, done, total))

    def end(self, label: str) -> None:
        """Report that this work has ended, successfully or not."""
        with self._lock:
            if self._active.pop(label, None) and self.stream.isatty():
                self._draw()

    def _is_due(self, key: str, interval: float) -> bool:
        now = self.clock()
        if key in self._shown_at and now - self._shown_at[key] < interval:
            return False
        self._shown_at[key] = now
        return True

    def _draw(self) -> None:
        text = "  ".join(render_bar(label, *amounts) for label, amounts in self._active.items())
        # Back to the start of the line, so that the next line of text is written over it.
        self.stream.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}\r")
        self.stream.flush()
