"""
Events of this node that wait to be told, and how far the supervisor's log has been told.

One small file in the home, so that neither a database that is away nor a kill loses any. An event
that was told just before a kill is told again, and the database knows its id.
"""

from __future__ import annotations

import logging
import threading
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from fleet_timescale.events import Event, record

from fleet_orchestrator import runtime
from fleet_orchestrator.events.log_file import Position, read_lines
from fleet_orchestrator.events.programs import Run
from fleet_orchestrator.events.supervisor_log import Programs, decide_event

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_timescale.connection import Connection

logger = logging.getLogger(__name__)
WAITING_MAX = 1000  # events; a worker that ends all the time makes two each five seconds


class EventSpool:
    """Keeps events until they are told; `add` may be called from any thread, `tell` from one."""

    def __init__(self, file: Path, node: str, log: Path | None) -> None:
        """Go on where the file says; a missing or damaged one means from the beginning."""
        self._file = file
        self._log = log
        self._lock = threading.Lock()
        self._waiting: list[Event] = []
        self._position = Position()
        self._programs = Programs(node)
        content = runtime.read(file, datetime.now(UTC), stale=None) or {}
        try:
            self._load(content, node)
        except (KeyError, ValueError, TypeError) as exc:
            if content:
                logger.warning("The spool of events is damaged.", extra={"error": str(exc)})

    def add(self, event: Event) -> None:
        """Keep an event until it is told."""
        with self._lock:
            if len(self._waiting) >= WAITING_MAX:
                extra = {"waiting": WAITING_MAX, "event": event.message}
                logger.warning("Too many events wait; one is lost.", extra=extra)
                return
            self._waiting.append(event)
            self._save()

    def tell(self, connection: Connection) -> None:
        """Tell what waits and what the log says since; raises psycopg.OperationalError."""
        with self._lock:
            waiting = list(self._waiting)
        lines, position = self._read_log()
        programs, told = self._programs, list(waiting)
        for line in lines:
            programs, event = decide_event(programs, line)
            told += [event] if event else []
        for event in told:
            _record(connection, event)
        if told or position != self._position:
            with self._lock:
                self._waiting = self._waiting[len(waiting) :]
                self._programs, self._position = programs, position
                self._save()

    def _read_log(self) -> tuple[list[str], Position]:
        if self._log is None:
            return [], self._position
        try:
            return read_lines(self._log, self._position)
        except FileNotFoundError:
            return [], self._position  # it is being rotated just now
        except OSError as exc:
            logger.warning("The supervisor's log cannot be read.", extra={"error": str(exc)})
            self._log = None  # said once; the next start of the agent tries again
            return [], self._position

    def _load(self, content: dict[str, Any], node: str) -> None:
        waiting = [
            Event(
                **{
                    **entry,
                    "event_id": uuid.UUID(entry["event_id"]),
                    "time": datetime.fromisoformat(entry["time"]),
                }
            )
            for entry in content["waiting"]
        ]
        runs = {
            name: Run(node, name, pid, datetime.fromisoformat(started_at))
            for name, (pid, started_at) in content["runs"].items()
        }
        position = Position(*content["position"])
        self._programs = Programs(node, runs, frozenset(content["up"]))
        self._waiting, self._position = waiting, position

    def _save(self) -> None:
        programs = self._programs
        content = {
            "waiting": [
                {**asdict(event), "event_id": str(event.event_id), "time": event.time.isoformat()}
                for event in self._waiting
            ],
            "position": [self._position.inode, self._position.offset],
            "runs": {
                name: [run.pid, run.started_at and run.started_at.isoformat()]
                for name, run in programs.runs.items()
            },
            "up": sorted(programs.up),
        }
        try:
            runtime.write(self._file, content)
        except OSError as exc:
            logger.warning("Events wait in memory only.", extra={"error": str(exc)})


def _record(connection: Connection, event: Event) -> None:
    """Tell one event; one that the database will never take must not hold up the others."""
    try:
        record(connection, event)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as exc:
        extra = {"error": str(exc), "event": event.message}
        logger.warning("The database refused an event.", extra=extra)
