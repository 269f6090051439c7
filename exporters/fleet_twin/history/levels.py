"""
Fill each level with what it would hold by now: readings, minutes and hours.

Readings are written where they are still kept, and rolled up by the SQL that rolls up real ones;
the minutes before that are written as they are, and hours are made of minutes. Days go in parts,
each in a partition of its own, made before its indexes: that is five times as fast.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from psycopg import sql

from fleet_twin.history.readings import READINGS, render_minutes, render_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_timescale.connection import Connection

TICK_SECONDS = 5
KEPT_RAW = timedelta(hours=26)
KEPT_CALLS = timedelta(days=30)
MINUTE_PARTITION = timedelta(days=5)  # as engines/postgresql.sql makes them
ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BIN = "date_bin('1 {unit}', time, '2000-01-01 00:00:00+00')"


@dataclass(frozen=True)
class Span:
    """A stretch of the past; `raw_begin` is where readings begin, before it there are minutes."""

    begin: datetime
    raw_begin: datetime
    end: datetime


@dataclass(frozen=True)
class Part:
    """What is filled at once: a level of a table between two times."""

    table: str
    begin: datetime
    end: datetime
    is_raw: bool


def decide_span(end: datetime, days: int) -> Span:
    """Return the past before a time, in whole hours at its beginning."""
    hour = floor(end, HOUR)
    return Span(
        hour - timedelta(days=days), max(hour - KEPT_RAW + HOUR, hour - timedelta(days)), end
    )


def floor(at: datetime, width: timedelta) -> datetime:
    """Return the time at which the stretch of this width began that holds a time."""
    return at - (at - ORIGIN) % width


def list_parts(span: Span) -> list[Part]:
    """Return all that is to be filled with readings, one table after the other in each time."""
    parts = [Part(table, span.raw_begin, span.end, is_raw=True) for table in READINGS]
    at = span.begin
    while at < span.raw_begin:
        following = min(floor(at, MINUTE_PARTITION) + MINUTE_PARTITION, span.raw_begin)
        parts += [Part(table, at, following, is_raw=False) for table in READINGS]
        at = following
    return parts


def fill_part(connection: Connection, part: Part) -> None:
    """Write one part, and the hours of it."""
    with connection.transaction():
        if part.is_raw:
            types = read_types(connection, f"telemetry.{part.table}")
            _run(connection, render_rows(part.table, types, TICK_SECONDS), part)
            fold(connection, part.table, "minute", part.begin, part.end)
        else:
            with minute_partition(connection, part.table, part.begin) as into:
                types = read_types(connection, into)
                _run(connection, render_minutes(part.table, into, types), part)
        fold(connection, part.table, "hour", part.begin, part.end)


def fill_calls(connection: Connection, span: Span) -> None:
    """Roll up the calls to model servers, which are kept as long as their minutes."""
    at = span.begin
    with connection.transaction():
        while at < span.end:
            following = min(floor(at, MINUTE_PARTITION) + MINUTE_PARTITION, span.end)
            with minute_partition(connection, "llm_requests", at) as into:
                fold(connection, "llm_requests", "minute", at, following, into=into)
            at = following
        fold(connection, "llm_requests", "hour", span.begin, span.end)


def fold(  # noqa: PLR0913 - a level, a table, a time
    connection: Connection,
    table: str,
    unit: str,
    begin: datetime,
    end: datetime,
    *,
    into: str | None = None,
) -> None:
    """
    Roll up the rows of a table between two times, by the SQL that upkeep has.

    The minute or hour that has not ended is left to upkeep.
    """
    row = connection.execute(
        "SELECT l.rollup, telemetry.key_columns(l.table_name) AS keys,"
        " CASE %(unit)s WHEN 'minute' THEN telemetry.minute_columns(l.table_name)"
        " ELSE telemetry.hour_columns(l.table_name) END AS columns"
        " FROM telemetry.levels l WHERE l.table_name = %(table)s",
        {"unit": unit, "table": table},
    ).fetchone()
    if row is None:
        raise LookupError(table)
    rollup, keys = row["rollup"], row["keys"]
    source = f"telemetry.{table}" if unit == "minute" else f"telemetry.{rollup}_1m"
    into = into or f"telemetry.{rollup}_1{unit[0]}"
    _execute(
        connection,
        f"INSERT INTO {into} (time{keys}, {_list_readings(connection, into, keys)})"  # noqa: S608
        f" SELECT {BIN.format(unit=unit)}{keys}, {row['columns']} FROM {source}"
        f" WHERE time >= %(begin)s AND time < %(end)s GROUP BY 1{keys}",
        {"begin": begin, "end": floor(end, timedelta(**{f"{unit}s": 1}))},
    )


def note_present(connection: Connection, end: datetime) -> None:
    """Leave to upkeep the hour in which the past ends, once it is over."""
    connection.execute(
        "INSERT INTO telemetry.due (table_name, unit, start, node)"
        " SELECT l.table_name, 'hour', %s, n.node FROM telemetry.levels l, fleet.nodes n"
        " WHERE l.rollup IS NOT NULL ON CONFLICT DO NOTHING",
        [floor(end, HOUR)],
    )


@contextmanager
def minute_partition(connection: Connection, table: str, at: datetime) -> Iterator[str]:
    """
    Yield the name of the table that minutes of this time are written to.

    Where there is no partition of those days yet, one is made and hung in at the end.
    """
    begin = floor(at, MINUTE_PARTITION)
    row = connection.execute(
        "SELECT l.rollup || '_1m' AS parent, EXISTS (SELECT FROM telemetry.partitions("
        "l.rollup || '_1m') p WHERE p.ends_at = %s) AS is_there"
        " FROM telemetry.levels l WHERE l.table_name = %s",
        [begin + MINUTE_PARTITION, table],
    ).fetchone()
    if row is None:
        raise LookupError(table)
    parent = f"telemetry.{row['parent']}"
    if row["is_there"]:
        yield parent
        return
    partition = f"{parent}_{begin:%Y%m%d}"
    _execute(
        connection, f"CREATE TABLE {partition} (LIKE {parent} INCLUDING ALL EXCLUDING INDEXES)"
    )
    _execute(connection, f"COMMENT ON TABLE {partition} IS 'Rows of {parent} from {begin} on.'")
    yield partition
    _execute(
        connection,
        f"ALTER TABLE {parent} ATTACH PARTITION {partition}"
        f" FOR VALUES FROM ('{begin}') TO ('{begin + MINUTE_PARTITION}')",
    )


def read_types(connection: Connection, table: str) -> dict[str, str]:
    """Return the columns of a table and their types."""
    rows = connection.execute(
        "SELECT attname, atttypid::regtype::text AS type FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        [table],
    )
    return {row["attname"]: row["type"] for row in rows}


def _list_readings(connection: Connection, table: str, keys: str) -> str:
    held = {"time", *keys.replace(" ", "").split(",")}
    return ", ".join(name for name in read_types(connection, table) if name not in held)


def _run(connection: Connection, statement: str, part: Part) -> None:
    _execute(connection, statement, {"begin": part.begin, "end": part.end})


def _execute(connection: Connection, statement: str, values: dict[str, Any] | None = None) -> None:
    connection.execute(sql.SQL(cast("Any", statement)), values)
