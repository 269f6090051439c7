"""
The pool of connections as fleet_control, and what the database's refusals mean to a caller.

The pool opens at the first use and again after an outage: the API starts, answers 503, and recovers
by itself.
"""

from __future__ import annotations

import select
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from fleet_timescale.events import Outage
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from fleet_control_api.service.errors import (
    ApiError,
    ConflictError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_timescale.connection import Connection

WAIT = 3.0  # seconds for a free connection; longer would let waiting requests eat every thread
POOL_MAX = 16  # connections; 8 streams hold one each, the other 8 serve everything else
START_OPTIONS = (
    "-c statement_timeout=30s -c lock_timeout=5s -c timezone=UTC "
    # A stream whose reader stalls gives its snapshot back after this.
    "-c idle_in_transaction_session_timeout=10min"
)
TRUSTED = 5.0  # seconds after its use for which a connection that is silent needs no question
DOWN = "Is PostgreSQL running? `./fleet status` says so; `./fleet up` starts it."


class Pooled(psycopg.Connection[dict[str, Any]]):
    """A connection that knows when it was used last."""

    used_at = float("-inf")

    def check(self) -> None:
        """
        Raise OperationalError when the server has gone.

        Its farewell makes a silent connection readable, so that one that was used just now need
        not be asked over the network, which would cost every request as much as its own question.
        """
        now = time.monotonic()
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        if now - self.used_at > TRUSTED or poll.poll(0):
            ConnectionPool.check_connection(self)
        self.used_at = now


class Database:
    """Statements and transactions on pooled connections."""

    def __init__(self, dsn: str) -> None:
        self._outage = Outage("The control API", "requests that need it were answered with 503")
        self._pool = ConnectionPool(
            dsn,
            connection_class=Pooled,
            open=False,
            min_size=1,
            max_size=POOL_MAX,
            timeout=WAIT,
            # After so long an attempt is given up, and the next request makes a fresh one at once:
            # the pool's own back-off would sleep on for minutes after the database is back.
            reconnect_timeout=WAIT,
            check=Pooled.check,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "prepare_threshold": None,
                "application_name": "fleet control-api",
                "connect_timeout": 3,
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 2,
                "options": START_OPTIONS,
            },
        )

    @contextmanager
    def transaction(self, wait: float | None = None) -> Iterator[Connection]:
        """
        Yield a connection in one transaction; `wait` bounds the seconds for a free one.

        Committed at the end, rolled back when the block raises.
        """
        with self.statements(wait) as connection, connection.transaction():
            yield connection

    @contextmanager
    def change(self) -> Iterator[Connection]:
        """
        Yield a connection in one transaction whose statements wait for no answer until it is read.

        So the last ones and the commit are one way to the server: locks that all changes need, that
        of the audit log above all, are held for no longer than the server itself takes.
        """
        with self.statements() as connection, connection.pipeline(), connection.transaction():
            yield connection

    @contextmanager
    def statements(self, wait: float | None = None) -> Iterator[Connection]:
        """
        Yield a connection on which each statement is a transaction: for what is one statement.

        Begin and commit would be two more ways to the server and back.
        """
        self._pool.open()
        try:
            with self._pool.connection(wait) as connection:
                self._outage.end(connection)
                yield connection
        except psycopg.OperationalError as exc:
            is_busy = (
                isinstance(exc, PoolTimeout) and self._pool.get_stats()["pool_size"] == POOL_MAX
            )
            if not is_busy:
                self._outage.begin(exc)
            raise

    def close(self) -> None:
        """Give all connections back to the server."""
        self._pool.close()


def translate(error: psycopg.Error, unknown: type[ApiError] = NotFoundError) -> ApiError | None:
    """
    Return what a database error means to the caller, or None when it is a fault of ours.

    `unknown` is the answer where a function found no row: 404 for what the address names, 422
    for a value.
    """
    state = error.sqlstate or ""
    message, hint = error.diag.message_primary or "", error.diag.message_hint or ""
    if state == "P0002":
        return unknown(message, remedy=hint)
    if state == "23514" and not error.diag.constraint_name:
        # Raised by a function, for people; a table's own constraint is a fault of ours.
        return InvalidError(message, remedy=hint)
    if state == "55000":
        return ConflictError(message, remedy=hint)
    if state in {"40001", "40P01", "55P03", "57014"}:
        return UnavailableError(
            "The database is busy.", remedy="Try again in a moment.", retry_seconds=1
        )
    if isinstance(error, psycopg.OperationalError):
        return UnavailableError("The database does not answer.", remedy=DOWN, retry_seconds=5)
    return None
