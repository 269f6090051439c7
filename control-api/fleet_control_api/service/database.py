"""
The pool of connections as fleet_control, and what the database's refusals mean to a caller.

The pool opens at the first use and again after an outage: the API starts, answers 503, and recovers
by itself.
"""

from __future__ import annotations

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
DOWN = "Is PostgreSQL running? `./fleet status` says so; `./fleet up` starts it."


class Database:
    """Transactions on pooled connections."""

    def __init__(self, dsn: str) -> None:
        self._outage = Outage("The control API", "requests that need it were answered with 503")
        self._pool: ConnectionPool[psycopg.Connection[dict[str, Any]]] = ConnectionPool(
            dsn,
            open=False,
            min_size=1,
            max_size=POOL_MAX,
            timeout=WAIT,
            # After so long an attempt is given up, and the next request makes a fresh one at once:
            # the pool's own back-off would sleep on for minutes after the database is back.
            reconnect_timeout=WAIT,
            check=ConnectionPool.check_connection,
            kwargs={
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
