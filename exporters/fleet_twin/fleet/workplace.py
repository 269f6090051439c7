"""The worker of a simulated machine: the real one, in threads instead of a process."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from fleet_orchestrator.worker import Worker


class Threads:
    """Where the node agent's worker runs; see fleet_orchestrator.agent.child.Workplace."""

    def __init__(self, make: Callable[[], Worker]) -> None:
        self._make = make
        self._worker: Worker | None = None
        self._threads: list[threading.Thread] = []
        self.restarts = 0
        self.started_at = 0.0

    def start(self) -> int:
        """Start a worker; return the process id of the twin."""
        self._worker = self._make()
        self._threads = self._worker.start()
        self.started_at = time.monotonic()
        return os.getpid()

    def wake(self) -> None:
        """Tell the worker that there is something to look at."""
        if self._worker is not None:
            self._worker.look()

    def drain(self) -> None:
        """Tell the worker to finish what it writes, to take no more, and to end."""
        if self._worker is not None:
            self._worker.drain()

    def stop(self, timeout_seconds: float) -> None:
        """End the worker and wait for it; a thread that hangs is left to end later."""
        if self._worker is not None:
            self._worker.end()
        until = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    @property
    def is_running(self) -> bool:
        """True until all threads have ended."""
        return any(thread.is_alive() for thread in self._threads)

    @property
    def exit_code(self) -> int:
        """Always 0: nothing but `drain` and `stop` ends a worker here."""
        return 0

    @property
    def pid(self) -> int | None:
        """The process that the worker runs in."""
        return os.getpid()
