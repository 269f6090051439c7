"""
Stop a fleet: its supervisor, then every process that carries the mark of its home.

The mark finds the programs that keep running after a supervisor was killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

import psutil

from fleet_stack.home import runtime
from fleet_stack.run import supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fleet_stack.home import Home

MARK = "FLEET_STACK_HOME"  # in the environment of everything that supervisord starts
GRACE_SECONDS = 6.0
DATABASE_SECONDS = 20.0  # PostgreSQL writes a checkpoint
LAST = "postgres"  # everything else needs it until its own end


def stop(home: Home, base: Path) -> None:
    """End every process of the home, and remove its runtime folder."""
    runtime.check(home, base)
    supervisor.stop(base / runtime.SOCKET, LAST)
    end_processes(find_processes(home))
    runtime.remove(home, base)


def find_processes(home: Home) -> list[psutil.Process]:
    """Return all processes of the home except this one, supervisord included."""
    return [
        process
        for process in _readable()
        if process.pid != os.getpid() and _mark(process) == str(home.root)
    ]


def _readable() -> Iterator[psutil.Process]:
    yield from psutil.process_iter()


def _mark(process: psutil.Process) -> str | None:
    # Not ours to look at, gone, or a zombie: none of these can be an orphan that we have to end.
    with contextlib.suppress(psutil.Error, OSError):
        return process.environ().get(MARK)
    return None


def is_postmaster(process: psutil.Process) -> bool:
    """True for the postmaster, which on SIGINT ends its children itself."""
    with contextlib.suppress(psutil.Error):
        parent = process.parent()
        return process.name() == "postgres" and (parent is None or parent.name() != "postgres")
    return False


def end_processes(processes: list[psutil.Process], *, grace_seconds: float = GRACE_SECONDS) -> None:
    """Ask all to end, the database last, and kill those that do not."""
    databases = [process for process in processes if is_postmaster(process)]
    others = [
        process
        for process in processes
        if process not in databases and _name(process) != "postgres"
    ]
    _end(others, signal.SIGTERM, grace_seconds)
    _end(databases, signal.SIGINT, DATABASE_SECONDS)


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return process.name()
    return ""


def _end(processes: list[psutil.Process], how: signal.Signals, seconds: float) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(how)
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)
