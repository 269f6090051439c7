"""
Find our own model server on this machine and tell it to let go of its model.

By hand: `pkill -USR1 -f fleet_stack.servers.llm`.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import psutil

from fleet_orchestrator.own_processes import find_listeners, parse_local_port, read_connections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MODULE = "fleet_stack.servers.llm"


def read_arguments(pid: int) -> list[str]:
    """Return how a process was called; nothing of one that has ended or is hidden."""
    try:
        arguments: list[str] = psutil.Process(pid).cmdline()
    except psutil.Error:
        return []
    return arguments


def signal_own_server(
    url: str,
    connections: Callable[[], Iterable[Any]] = read_connections,
    arguments: Callable[[int], list[str]] = read_arguments,
    kill: Callable[[int, int], None] = os.kill,
) -> bool:
    """Send SIGUSR1 to our server if it listens at the URL's port; return whether it does."""
    port = parse_local_port(url)
    if port is None or not hasattr(signal, "SIGUSR1"):
        return False
    for pid in find_listeners(connections(), port):
        if MODULE in arguments(pid):
            kill(pid, signal.SIGUSR1)
            return True
    return False
