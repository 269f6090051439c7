"""What drills do to a twin: faults of machines, settings, jobs, frozen programs, the database."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
from fleet_control_api.service.errors import ClientError
from fleet_timescale.connection import connect

from fleet_twin.rehearse.scene import LOOK_SECONDS, RehearsalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_twin.rehearse.scene import Scene

INSIST_SECONDS = 600.0  # a drill may have stopped the control API meanwhile
RETRY_SECONDS = 2.0


class Stage:
    """A scene for drills that go on at the same time. What begins something returns its end."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._lock = threading.Lock()
        self.is_over = threading.Event()

    def fault(self, fault: str, *nodes: str) -> Callable[[], object]:
        """Set a fault on machines."""
        for node in nodes:
            self.scene.set_fault(fault, node)

        def end() -> None:
            for node in nodes:
                self.scene.end_fault(fault, node)

        return end

    def set(self, key: str, value: float, scope: str = "fleet") -> Callable[[], object]:
        """Give a setting another value."""
        with self._lock:
            self.scene.settings.add((key, scope))
        path = f"/config/{key}"
        self.insist(lambda: self._put(path, value, scope))
        return partial(self.insist, lambda: self._put(path, None, scope))

    def _put(self, path: str, value: float | None, scope: str) -> Any:
        body = {"scope": scope, "value": value, "reason": "rehearsal"}
        return self.scene.change("PUT", path, **body)

    def insist(self, act: Callable[[], Any]) -> Any:
        """Ask the control API again while it does not answer. Raises ClientError in the end."""
        until = time.monotonic() + INSIST_SECONDS
        while True:
            try:
                return act()
            except ClientError as exc:
                is_over = self.is_over.is_set() or time.monotonic() > until
                if is_over or "answer" not in str(exc):
                    raise
            self.is_over.wait(RETRY_SECONDS)

    def order(self, count: int, **order: Any) -> str:
        """Order short conversations; return the job's id."""
        told = {"min_turns": 6, "max_turns": 6, **order}
        return str(self.insist(lambda: self.scene.order(count, **told)))

    def wait_for(self, what: str, is_true: Callable[[], Any], seconds: float) -> None:
        """Wait for what a drill needs before it goes on. Raises RehearsalError."""
        until = time.monotonic() + seconds
        while not is_true():
            if time.monotonic() > until or self.is_over.is_set():
                raise RehearsalError(f"not within {seconds:.0f} s: {what}")
            time.sleep(LOOK_SECONDS)

    def freeze(self, program: str) -> Callable[[], object]:
        """
        Stop a program and all that it has started, as a machine out of memory does.

        Its port takes calls and answers none.
        """
        pids = list_family(self.scene.find_process(program))
        send(pids, signal.SIGSTOP)
        return lambda: send(pids, signal.SIGCONT)

    def execute(self, *statements: str) -> None:
        """Do something as the database's owner, who may everything."""
        with connect(self.scene.dsn, "fleet twin rehearse") as owner, owner.transaction():
            for statement in statements:
                owner.execute(statement.encode())

    def refuse_rows(self, table: str, condition: str) -> Callable[[], object]:
        """Have a table refuse new rows for which the condition is not true."""
        name = f"rehearsal_{table.rpartition('.')[2]}"
        drop = f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}"
        add = f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID"
        self.execute(drop, add)
        return lambda: self.execute(drop)


def list_family(pid: int) -> list[int]:
    """Return a process and all below it."""
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def send(pids: list[int], number: int) -> None:
    """Send a signal to each process that still runs."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def together(*ends: Callable[[], object]) -> Callable[[], object]:
    """Return what ends all of these, the last one first; one that fails holds up no other."""

    def end() -> None:
        failed: list[Exception] = []
        for each in reversed(ends):
            try:
                each()
            except (ClientError, RehearsalError, psycopg.Error, OSError) as exc:
                failed.append(exc)
        if failed:
            raise failed[0]

    return end
