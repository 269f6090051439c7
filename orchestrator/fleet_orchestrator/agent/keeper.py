"""
Keep the worker as it is wanted: running, started again after it ended; draining; stopped.

One thread does so (`keep`), another says what is wanted. Each start and end is told as an event.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleet_orchestrator.events import programs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_orchestrator.agent.child import Workplace
    from fleet_orchestrator.events.spool import EventSpool

logger = logging.getLogger(__name__)
RESTART_MAX_SECONDS = 5.0
STEADY_SECONDS = 30.0  # a worker that ran so long has not failed at its start
RESTARTS_MAX = 3  # short runs in a row; after more it is told that the worker does not stay up
STOP_SECONDS = 4.0
LOOK_SECONDS = 0.2
RUN, DRAIN, STOP = "run", "drain", "stop"


def decide_restart_delay(ran_seconds: float, restarts: int) -> float:
    """
    Return seconds to wait before a worker is started again.

    At once after a steady run; 0.2, 0.4 … 5 after the first, second … short one.
    """
    if ran_seconds >= STEADY_SECONDS:
        return 0.0
    return float(min(RESTART_MAX_SECONDS, 0.2 * 2 ** min(restarts - 1, 10)))


@dataclass(frozen=True)
class Wish:
    """What is wanted of the worker; a later one has a higher number."""

    number: int = 0
    aim: str = STOP
    is_restart: bool = False


class Keeper:
    """Holds one worker to what is wanted; it starts none until `want` was called."""

    def __init__(self, child: Workplace, spool: EventSpool, node: str) -> None:
        self.child = child
        self._spool = spool
        self._node = node
        self._wish = Wish()
        self._fulfilled = 0  # the number of the newest wish that came true
        self._has_told_drain = 0  # likewise
        self._start_at = 0.0
        self._run: programs.Run | None = None
        self._news = threading.Event()

    def want(self, aim: str, *, is_restart: bool = False, delay_seconds: float = 0.0) -> None:
        """
        Say whether the worker is to run, drain or stop; a restart ends it first.

        The delay is that of a start.
        """
        self._wish = Wish(self._wish.number + 1, aim, is_restart)
        self._start_at = time.monotonic() + delay_seconds if delay_seconds else 0.0
        self._news.set()

    @property
    def state(self) -> str:
        """running, draining, restarting or stopped, as fleet.nodes has it."""
        aim = self._wish.aim
        if self.child.is_running:
            return "draining" if aim == DRAIN else "running"
        return "restarting" if aim == RUN else "stopped"

    @property
    def is_settled(self) -> bool:
        """True once the worker was as it is wanted now, and its end has been told."""
        return self._fulfilled == self._wish.number

    def keep(self, stop: threading.Event) -> None:
        """Hold the worker to what is wanted until told to stop, then end it."""
        while not stop.is_set():
            wish = self._wish
            try:
                if self._turn(wish):
                    self._fulfilled = wish.number
            except OSError as exc:  # no process, no memory: it may be there in a moment
                logger.warning("The worker cannot be started.", extra={"error": str(exc)})
                self._start_at = time.monotonic() + RESTART_MAX_SECONDS
            self._news.wait(LOOK_SECONDS)
            self._news.clear()
        self._end()

    @contextmanager
    def keeping(self, stop: threading.Event) -> Iterator[None]:
        """Keep the worker in a thread as long as the block runs; the worker ends with it."""
        thread = threading.Thread(target=self.keep, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            self._news.set()
            thread.join()

    def _turn(self, wish: Wish) -> bool:
        """Do the next thing that brings the worker nearer to a wish; return whether it is true."""
        must_end = wish.is_restart and self._fulfilled < wish.number
        if not self.child.is_running:
            self._note_end(wish.aim)
            if wish.aim != RUN:
                return True
            if time.monotonic() < self._start_at:
                return False
            self._start()
            return True
        if wish.aim == STOP or (must_end and self._run is not None):
            self._end()
            return wish.aim == STOP
        if wish.aim == DRAIN and self._has_told_drain < wish.number:
            self.child.drain()
            self._has_told_drain = wish.number
        return wish.aim == RUN

    def _start(self) -> None:
        pid = self.child.start()
        now = datetime.now(UTC)
        self._run = programs.Run(self._node, "worker", pid, now)
        self._spool.add(programs.started(self._run, now))

    def _note_end(self, aim: str) -> None:
        """Tell that a worker has ended which we have not ended ourselves."""
        if self._run is None:
            return
        if aim != RUN:
            self._tell_stopped()
            return
        child = self.child
        ran = time.monotonic() - child.started_at
        child.restarts = 0 if ran >= STEADY_SECONDS else child.restarts + 1
        extra = {"exit_code": child.exit_code, "ran_seconds": round(ran, 1)}
        logger.warning("The worker ended.", extra=extra)
        how = programs.describe_exit(child.exit_code)
        was_up = child.restarts <= RESTARTS_MAX
        self._spool.add(programs.ended(self._run, datetime.now(UTC), how, was_up=was_up))
        self._run = None
        self._start_at = time.monotonic() + decide_restart_delay(ran, child.restarts)

    def _end(self) -> None:
        self.child.stop(STOP_SECONDS)
        if self._run is not None:
            self._tell_stopped()

    def _tell_stopped(self) -> None:
        if self._run is not None:
            is_forced = self.child.exit_code == -signal.SIGKILL
            self._spool.add(programs.stopped(self._run, datetime.now(UTC), is_forced=is_forced))
            self._run = None
