"""The worker as a process: started, woken, drained, ended."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Protocol

logger = logging.getLogger(__name__)
WORKER = (sys.executable, "-m", "fleet_orchestrator.worker")
WAKE, DRAIN = "wake", "drain"  # lines on the worker's standard input


class Workplace(Protocol):
    """Where the agent's worker runs: a process of its own, or threads beside the agent."""

    restarts: int  # short runs in a row
    started_at: float  # by time.monotonic

    def start(self) -> int:
        """Start the worker; return its process id."""

    def wake(self) -> None:
        """Tell the worker that there is something to look at."""

    def drain(self) -> None:
        """Tell the worker to finish what it writes, to take no more, and to end."""

    def stop(self, timeout_seconds: float) -> None:
        """End the worker."""

    @property
    def is_running(self) -> bool:
        """True until the worker has ended."""

    @property
    def exit_code(self) -> int:
        """How the worker ended, as in subprocess; 0 while it runs."""

    @property
    def pid(self) -> int | None:
        """The process that the worker runs in; None before the first start."""


@dataclass
class Child:
    """The worker process; never more than one at a time."""

    command: tuple[str, ...] = WORKER
    process: subprocess.Popen[str] | None = None
    restarts: int = 0  # short runs in a row
    started_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> int:
        """Start the worker; return its process id."""
        logger.info("Starting the worker.", extra={"restarts": self.restarts})
        with self.lock:
            _close(self.process.stdin if self.process else None)
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, text=True)
        self.started_at = time.monotonic()
        return self.process.pid

    def wake(self) -> None:
        """Tell the worker that there is something to look at."""
        self._say(WAKE)

    def drain(self) -> None:
        """Tell the worker to finish what it writes, to take no more, and to end."""
        self._say(DRAIN)

    def _say(self, word: str) -> None:
        with self.lock:
            _write_line(self.process.stdin if self.process else None, word)

    def stop(self, timeout_seconds: float) -> None:
        """End the worker: politely, then by force."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            logger.warning("The worker did not end in time; killing it.")
            self.process.kill()
            self.process.wait()
        with self.lock:
            _close(self.process.stdin)

    @property
    def is_running(self) -> bool:
        """True while there is a process."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id of the newest worker, which may have ended; None before the first."""
        return self.process.pid if self.process else None

    @property
    def exit_code(self) -> int:
        """How the worker ended: its status, or the negative number of a signal; 0 while it runs."""
        return (self.process.returncode or 0) if self.process else 0


def _write_line(pipe: IO[str] | None, word: str) -> None:
    if pipe is None or pipe.closed:  # not started yet, or stopped
        return
    try:
        pipe.write(f"{word}\n")
        pipe.flush()
    except BrokenPipeError:
        logger.debug("The worker is gone; it will be started again.")


def _close(pipe: IO[str] | None) -> None:
    """Let go of a worker's input; what it did not read any more is of no use."""
    if pipe is not None:
        with suppress(BrokenPipeError):
            pipe.close()
