"""
Look after the model server beside the conversations: how it is, and its memory during games.

What is to be told waits until a thread with a connection takes it (`Notes`).
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from fleet_orchestrator.model_memory import ModelMemory
from fleet_orchestrator.model_server.watch import STATES, ServerWatch, watch_server
from fleet_orchestrator.own_processes import parse_local_port
from fleet_orchestrator.owner import is_gaming

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from fleet_orchestrator.model_server.watch import Report
    from fleet_orchestrator.store import Store

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.5  # at the owner: a game must have the memory soon
HEALTH_SECONDS = 5.0
TELL_SECONDS = 60.0  # between two reports without a change
STATE_METRIC = "fleet_llm_state"
LOCAL_METRIC = "fleet_llm_local"
GPU_METRIC = "fleet_llm_gpu_memory_ratio"

Note = Callable[["Store"], None]


class Notes:
    """What waits to be stored, in its order; each is kept until it is."""

    def __init__(self) -> None:
        self._waiting: deque[Note] = deque()

    def add(self, note: Note) -> None:
        """Put one behind the others."""
        self._waiting.append(note)

    def tell_event(self, severity: str, kind: str, message: str) -> None:
        """Put an event behind the others, with its time and an id: it is told once."""
        event, now = uuid.uuid4(), datetime.now(UTC)
        self.add(lambda store: store.record_event(event, now, severity, kind, message))

    def store(self, store: Store) -> None:
        """Store all; what the database does not take now stays."""
        while self._waiting:
            self._waiting[0](store)
            self._waiting.popleft()


@dataclass
class ServerHealth:
    """The newest report on the model server, and what to do about its memory."""

    watch: ServerWatch
    notes: Notes
    runtime_folder: Path
    memory: ModelMemory | None = None  # None: the server runs elsewhere
    clock: Callable[[], float] = time.monotonic
    report: Report | None = field(default=None, init=False)
    _looked_at: float = field(default=float("-inf"), init=False)
    _told: tuple[str, Report] | None = field(default=None, init=False)
    _told_at: float = field(default=float("-inf"), init=False)

    @property
    def is_out(self) -> bool:
        """Whether the model is out of memory for a game, or on its way back."""
        return self.memory is not None and self.memory.is_out

    def step(self, model: str, *, has_calls: bool, is_circuit_open: bool) -> bool:
        """Look once; return whether there is something new to tell."""
        if self.memory is not None:
            self.memory.follow(model, is_gaming=is_gaming(self.runtime_folder), has_calls=has_calls)
        now = self.clock()
        if now - self._looked_at < HEALTH_SECONDS:
            return False
        self._looked_at = now
        self.report = self.watch.look(model, is_circuit_open=is_circuit_open)
        if self._told == (model, self.report) and now - self._told_at < TELL_SECONDS:
            return False
        self._told, self._told_at = (model, self.report), now
        self.notes.add(partial(_report, model, self.report))
        return True

    def describe(self) -> list[dict[str, Any]]:
        """Return state, place and memory of the server as metrics; nothing before a first look."""
        report = self.report
        if report is None:
            return []
        states = [
            {"name": STATE_METRIC, "labels": {"state": state}, "value": int(state == report.state)}
            for state in STATES
        ]
        is_local = {"name": LOCAL_METRIC, "labels": {}, "value": int(self.memory is not None)}
        if report.gpu_ratio is None:
            return [*states, is_local]
        return [*states, is_local, {"name": GPU_METRIC, "labels": {}, "value": report.gpu_ratio}]

    def run(
        self,
        read: Callable[[], tuple[str, bool, bool]],
        stop: threading.Event,
        tell: Callable[[], None],
    ) -> None:
        """Look twice a second until told to stop; `read` gives the arguments of `step`."""
        while not stop.wait(LOOK_SECONDS):
            try:
                model, has_calls, is_circuit_open = read()
                if self.step(model, has_calls=has_calls, is_circuit_open=is_circuit_open):
                    tell()
            except Exception:  # what is wrong with one look must not end all others
                logger.exception("Failed to look at the model server.")


def _report(model: str, report: Report, store: Store) -> None:
    store.report_endpoint(model, report)


def look_after(url: str, runtime_folder: Path) -> ServerHealth:
    """Return what looks after the server at an URL; its memory only where it is this machine's."""
    watch, notes = watch_server(url), Notes()
    is_local = parse_local_port(url) is not None
    memory = ModelMemory(watch, notes.tell_event) if is_local else None
    return ServerHealth(watch, notes, runtime_folder, memory)
