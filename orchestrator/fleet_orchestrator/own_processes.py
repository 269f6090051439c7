"""
Which processes of this machine are ours, so that the exporter can tell those of others.

Agent, worker, the supervisor that holds the whole fleet of this home, and the model server if it
runs here, whoever has started it.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LOOK_SECONDS = 60.0  # a look at all connections takes milliseconds
LOCAL = {"127.0.0.1", "localhost", "::1"}


def parse_local_port(url: str) -> int | None:
    """Return the port of an address on this machine; None for one elsewhere."""
    parts = urlsplit(url)
    if parts.hostname not in LOCAL:
        return None
    return parts.port or (443 if parts.scheme == "https" else 80)


def find_listeners(connections: Iterable[Any], port: int) -> set[int]:
    """Return the processes that listen on a port; those of other users are seen by root alone."""
    return {
        connection.pid
        for connection in connections
        if connection.status == psutil.CONN_LISTEN
        and connection.laddr.port == port
        and connection.pid
    }


def read_connections() -> list[Any]:
    """Return the TCP connections that this user may see; none where the system forbids it."""
    try:
        return list(psutil.net_connections("tcp"))
    except psutil.AccessDenied:
        return []


class OwnProcesses:
    """Remembers the model server between looks."""

    def __init__(
        self,
        llm_url: str,
        environ: Mapping[str, str] = os.environ,
        connections: Callable[[], Iterable[Any]] = read_connections,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._port = parse_local_port(llm_url)
        # supervisord tells its children by this variable that it is their parent.
        self._is_supervised = environ.get("SUPERVISOR_ENABLED") == "1"
        self._connections = connections
        self._clock = clock
        self._look_at = clock()
        self._servers: set[int] = set()

    def find(self) -> set[int]:
        """Return the ids of our processes but the worker; their descendants are ours as well."""
        if self._port is not None and self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_SECONDS
            self._servers = find_listeners(self._connections(), self._port)
        return {os.getpid()} | ({os.getppid()} if self._is_supervised else set()) | self._servers
