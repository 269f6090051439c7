"""
Ways to the database for many nodes over few connections.

Each call or transaction borrows a connection of the database's owner and takes on the login of its
node, so that the server sees nobody but that node: `session_user` and all that hangs on it are
real. Two hundred programs with a connection each would take more memory than the twin itself.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, cast

import psycopg
from fleet_timescale.connection import connect as connect_database
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleet_timescale.connection import Connection

    from fleet_twin.fleet.notices import Notices

CONNECTIONS_MAX = 8  # so many nodes are served at one moment; a call takes milliseconds


class Pool:
    """Connections of the owner, who may become any login; made when they are needed."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, login: str) -> Iterator[Connection]:
        """Lend a connection that has taken on a login. Raises psycopg.OperationalError."""
        with self._places:
            connection = self._take()
            try:
                name = sql.Identifier(login)
                connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(name))
                yield connection
            finally:
                self._give_back(connection)

    def _take(self) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return connect_database(self._dsn, "fleet twin")

    def _give_back(self, connection: Connection) -> None:
        is_usable = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        if is_usable and not connection.closed:
            with self._lock:
                self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class Link:
    """The network of one node: it may be cut, and the machine behind it may be frozen."""

    def __init__(self) -> None:
        self.is_cut = False
        self._runs = threading.Event()
        self._runs.set()

    @property
    def is_frozen(self) -> bool:
        """True while nothing on the machine moves."""
        return not self._runs.is_set()

    def freeze(self, *, is_frozen: bool) -> None:
        """Stop everything that goes on on the machine, or let it go on."""
        if is_frozen:
            self._runs.clear()
        else:
            self._runs.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait while the machine is frozen, at most so long; True if it runs."""
        return self._runs.wait(seconds)

    def cross(self) -> None:
        """Wait while the machine is frozen. Raises psycopg.OperationalError where it is cut."""
        self.wait()
        if self.is_cut:
            raise psycopg.OperationalError("connection failed: network is unreachable")


class NodeConnection:
    """What our programs use of a psycopg connection, in the name of one node."""

    def __init__(self, pool: Pool, login: str, link: Link, notices: Notices) -> None:
        self._pool = pool
        self._login = login
        self._link = link
        self._notices = notices
        self._heard = notices.count
        self._held: Connection | None = None

    def execute(self, query: Any, params: Any = None) -> Any:
        """Run one statement; alone, or inside the transaction that is open."""
        if self._held is not None:
            return self._held.execute(query, params)
        if str(query).startswith(("LISTEN", "b'LISTEN")):
            return None  # the twin listens once, for all nodes
        self._link.cross()
        with self._pool.borrow(self._login) as connection:
            return connection.execute(query, params)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold one connection for a transaction."""
        self._link.cross()
        with self._pool.borrow(self._login) as connection:
            self._held = connection
            try:
                with connection.transaction():
                    yield
            finally:
                self._held = None

    def cursor(self) -> Any:
        """Return a cursor of the transaction that is open."""
        if self._held is None:
            raise psycopg.InterfaceError("the twin has cursors in transactions only")
        return self._held.cursor()

    def notifies(self, timeout: float, stop_after: int) -> Iterator[psycopg.Notify]:
        """Yield what was notified since the last time, as soon as there is anything."""
        del stop_after  # what came at once is handed on at once
        self._heard, notes = self._notices.wait(self._heard, timeout)
        self._link.cross()
        yield from notes

    @property
    def closed(self) -> bool:
        """True while no server connection is held; a program may ask for another at any time."""
        return self._held is None

    def fileno(self) -> int:
        """Return the socket of the connection that is held."""
        return -1 if self._held is None else self._held.fileno()

    def close(self) -> None:
        """Do nothing: what was borrowed went back at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_connect(pool: Pool, node: str, link: Link, notices: Notices) -> Callable[[], Connection]:
    """Return how a program of a node connects. Raises psycopg.OperationalError when cut."""

    def connect() -> Connection:
        link.cross()
        login = f"fleet_node_{node}"
        return cast("Connection", NodeConnection(pool, login, link, notices))

    return connect
