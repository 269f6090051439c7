"""How a program of ours is told to end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading


def end_on_signal(stop: threading.Event) -> None:
    """Make SIGTERM and SIGINT set the event."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
