"""
Bring rows into the database: binary COPY, one transaction a batch, again until it is stored.

Only if a batch has been stored already (23505: its commit's answer was lost) it goes through a
temporary table that leaves out what is there. No session state, so that a pooler may stand between.
"""

from __future__ import annotations

import logging
import random
import time
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import psycopg
from fleet_timescale.events import Outage
from psycopg import sql

from fleet_exporters.sample import Sample
from fleet_exporters.sinks.database.deadline import Deadline
from fleet_exporters.sinks.database.rows import TABLES, Table

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from fleet_timescale.connection import Connect, Connection

    from fleet_exporters.sinks.database.rows import Batch, Row
    from fleet_exporters.sinks.database.spool import Spool

logger = logging.getLogger(__name__)

TICKS_PER_BATCH = 60  # catching up, five minutes of readings go in one transaction
RETRY_FIRST = 1.0  # seconds; doubled at each failure
RETRY_MAX = 30.0  # seconds
ANSWER_SECONDS = 10.0  # a batch takes 0.1; with the tick that looks, silence is noticed within 15
CATCH_UP_REST = 3.0  # times as long as the last batch took


def _now() -> datetime:
    return datetime.now(UTC)


@cache
def _render_copy(target: tuple[str, ...], columns: tuple[str, ...]) -> bytes:
    """Return the statement; composing it costs more than the row that it stores."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)")
    return statement.format(sql.Identifier(*target), names).as_bytes()


def _copy(connection: Connection, target: tuple[str, ...], table: Table, rows: list[Row]) -> None:
    types = table.column_types
    statement = _render_copy(target, tuple(types))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(list(types.values()))
        for row in rows:
            copy.write_row(row)


def _copy_missing(
    connection: Connection, target: tuple[str, ...], table: Table, rows: list[Row]
) -> None:
    """Store those rows that are not there yet."""
    types = table.column_types
    draft = f"resent_{table.name}"
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
        for name, type_ in types.items()
    )
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP").format(
            sql.Identifier(draft), columns
        )
    )
    _copy(connection, (draft,), table, rows)
    names = sql.SQL(", ").join(map(sql.Identifier, types))
    connection.execute(
        sql.SQL("INSERT INTO {} ({names}) SELECT {names} FROM {} ON CONFLICT DO NOTHING").format(
            sql.Identifier(*target), sql.Identifier(draft), names=names
        )
    )


def store(connection: Connection, batches: Sequence[Batch]) -> None:
    """Store all rows of the batches in one transaction, each once, however often it is called."""
    for copy in (_copy, _copy_missing):
        try:
            with connection.transaction():
                for table in TABLES:
                    rows = [row for batch in batches for row in batch.rows.get(table.name, ())]
                    if rows:
                        copy(connection, ("telemetry", table.name), table, rows)
        except psycopg.errors.UniqueViolation:
            if copy is _copy_missing:
                raise
            logger.info("batch was stored before; storing what is missing")
        else:
            return


def is_refused(error: psycopg.Error) -> bool:
    """True if these rows would fail again. A partition that is being made takes them later."""
    if isinstance(error, psycopg.errors.CheckViolation):
        return error.diag.constraint_name is not None
    return isinstance(error, (psycopg.DataError, psycopg.IntegrityError))


class Ingest:
    """Empties the spool into the database from a thread of its own."""

    def __init__(  # noqa: PLR0913 - what it reads from, stores to, and is timed by
        self,
        connect: Connect,
        spool: Spool,
        clock: Callable[[], datetime] = _now,
        monotonic: Callable[[], float] = time.monotonic,
        measure: Callable[[Connection], None] = lambda _: None,
        *,
        node: str = "this machine",
        is_held_back: Callable[[], bool] = lambda: False,
    ) -> None:
        """
        Call `measure` with each connection that is about to store rows.

        `node` stands in the event that tells of an absence of the database. While `is_held_back`
        says so, nothing is stored, and the database is left alone.
        """
        self._connect = connect
        self._measure = measure
        self._outage = Outage(f"The exporter on {node}", "its readings waited and were stored then")
        self._is_held_back = is_held_back
        self._spool = spool
        self._clock = clock
        self._deadline = Deadline(ANSWER_SECONDS, monotonic)
        self._connection: Connection | None = None
        self._limit = TICKS_PER_BATCH
        self._failures = 0
        self._delay: float | None = None
        self._lost_rows = 0
        self._lost_at: float | None = None

    def step(self) -> float | None:
        """Store one batch; return seconds to wait after a failure, 0 for more, None when empty."""
        self._spool.settle()
        if self._is_held_back():
            self.close()
            return None
        number, batches = self._spool.peek(self._limit)
        if not batches:
            return None
        try:
            if self._connection is None:
                self._connection = self._connect()
            with self._deadline.over(self._connection):
                self._measure(self._connection)
                store(self._connection, batches)
                self._outage.end(self._connection)
        except psycopg.Error as exc:
            if is_refused(exc):
                self._refuse(number, batches)
                return 0.0
            if self._connection is not None:  # perhaps it was too much for a slow one
                self._limit = max(1, len(batches) // 2)
            self._outage.begin(exc)
            return self._retry_later(exc)
        self._note_stored(batches)
        self._spool.remove(number)
        return 0.0

    def _refuse(self, number: int, batches: Sequence[Batch]) -> None:
        """Drop a tick that would fail again and hold up all after it; of many find it first."""
        if len(batches) > 1:
            self._limit = len(batches) // 2
            return
        logger.exception(  # noqa: LOG004 - called while the error is handled
            "database refuses these rows; they are dropped", extra={"rows": batches[0].size}
        )
        self._spool.remove(number, is_lost=True)

    def _retry_later(self, problem: psycopg.Error) -> float:
        self.close()
        wait: float = min(RETRY_MAX, RETRY_FIRST * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        wait *= random.uniform(0.8, 1.2)  # noqa: S311 - nodes that come back apart, no secret
        logger.warning(
            "database cannot take readings; they wait",
            extra={"error": str(problem), "rows": self._spool.rows, "retry_seconds": wait},
        )
        return wait

    def _note_stored(self, batches: Sequence[Batch]) -> None:
        if self._failures:
            logger.info("database takes readings again", extra={"rows_waiting": self._spool.rows})
        self._failures = 0
        self._limit = min(TICKS_PER_BATCH, 2 * self._limit)
        self._delay = self._age(batches[-1].time)

    def _age(self, time: datetime) -> float:
        return max(0.0, (self._clock() - time).total_seconds())

    def watch(self) -> None:
        """Cut a connection that does not answer; called at each tick, from another thread."""
        self._deadline.enforce()

    def read_status(self) -> list[Sample]:
        """Return how far the database is behind."""
        oldest = self._spool.oldest
        waiting = self._age(oldest) if oldest else 0.0
        lag = waiting or self._delay
        dropped = self._spool.dropped_rows
        if sum(dropped.values()) > self._lost_rows:
            self._lost_rows, self._lost_at = sum(dropped.values()), self._clock().timestamp()
        samples = [
            Sample("fleet_ingest_held_back", {}, self._is_held_back()),
            Sample("fleet_spool_rows", {}, self._spool.rows),
            Sample("fleet_spool_oldest_seconds", {}, waiting),
            *(
                Sample("fleet_spool_dropped_rows_total", {"reason": reason}, rows)
                for reason, rows in dropped.items()
            ),
        ]
        if self._lost_at is not None:
            samples.append(Sample("fleet_spool_lost_timestamp_seconds", {}, self._lost_at))
        return samples if lag is None else [*samples, Sample("fleet_ingest_lag_seconds", {}, lag)]

    def run(self, wake: threading.Event, stop: threading.Event) -> None:
        """Store whatever comes, until `stop`; then what is left, or it goes to disk."""
        while not stop.is_set():
            wake.clear()
            started = time.monotonic()
            wait = self._step_or_wait()
            if wait is None:
                wake.wait()
            elif wait:
                self._rest(wait, wake, stop)
            elif self._spool.rows:
                # Catching up takes a quarter of one core, not all of a small machine.
                stop.wait(CATCH_UP_REST * (time.monotonic() - started))
        while self._step_or_wait() == 0:
            pass
        self._spool.settle(is_end=True)
        self.close()

    def _rest(self, seconds: float, wake: threading.Event, stop: threading.Event) -> None:
        """Wait between tries; what comes meanwhile goes to disk."""
        until = time.monotonic() + seconds
        while not stop.is_set() and wake.wait(max(0.0, until - time.monotonic())):
            wake.clear()
            self._spool.settle()

    def _step_or_wait(self) -> float | None:
        try:
            return self.step()
        except Exception:
            # A thread that dies in silence would lose every reading from here on.
            logger.exception("storing readings failed; they wait")
            self.close()
            return RETRY_MAX

    def close(self) -> None:
        """Let the connection go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
