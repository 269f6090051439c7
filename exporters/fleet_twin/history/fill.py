"""
Fill the past of a twin: who may, in which order, by how many at once.

`fill_history` is for the command and for tests that need a database with a past.
"""

from __future__ import annotations

import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_timescale.errors import FleetError

from fleet_twin.history import conversations, levels
from fleet_twin.history.readings import TABLE, list_values
from fleet_twin.history.rows import copy_rows
from fleet_twin.history.stretches import Stretch, list_stretches
from fleet_twin.machine.kinds import NODES_MAX, Place, list_places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleet_timescale.connection import Connect, Connection

DAYS_MAX = 400
DAY = timedelta(days=1)
EVENT = "twin_history_filled"
EVENT_ID = uuid.UUID("6b1f5a52-6f0e-4a0c-8f3b-0d7a54b6c0de")
COUNTS = Path(__file__).with_name("counts.sql")
STRETCHES = Path(__file__).with_name("stretches.sql")
WRITERS = 2
# Rows go past the triggers, which would note each minute and count each conversation.
SESSION = (
    "SET session_replication_role = replica",
    "SET synchronous_commit = off",
    "SET work_mem = '128MB'",
    "SET maintenance_work_mem = '256MB'",
)


class HistoryError(FleetError):
    """The past of this database cannot be filled; the message says why, and what to do."""


@dataclass(frozen=True)
class Filled:
    """What was filled: rows are those of the sensors' tables and of conversations."""

    span: levels.Span
    nodes: int
    conversations: int


def fill_history(
    connect: Connect,
    days: int,
    places: list[Place],
    seed: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> Filled:
    """
    Write the past of these machines; those that nobody has enrolled are entered as expected off.

    The past ends where the first reading of a live machine is, or now. Raises HistoryError.
    """
    with connect() as connection:
        check(connection, days)
        span = levels.decide_span(read_end(connection), days)
        note(connection, days, places)
        enter_places(connection, places, span.begin)
        with stretches_table(connection):
            say(f"planning {days} days of {len(places)} machines")
            stretches = store_stretches(connection, places, span, seed)
            with writers(connect, levels.list_parts(span), seed, say):
                count = tell_conversations(connection, stretches, span, seed, say)
        levels.fill_calls(connection, span)
        levels.note_present(connection, span.end)
    return Filled(span, len(places), count)


@contextmanager
def writers(
    connect: Connect, parts: list[levels.Part], seed: int, say: Callable[[str], None]
) -> Iterator[None]:
    """Have all parts filled meanwhile, by connections of their own."""
    with ThreadPoolExecutor(WRITERS) as pool:
        done = [pool.submit(_fill_part, connect, part, seed, say) for part in parts]
        try:
            yield
            for future in done:
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def check(connection: Connection, days: int) -> None:
    """Raise HistoryError unless this is the database of a twin whose past is empty."""
    if not 1 <= days <= DAYS_MAX:
        raise HistoryError(f"--days must be between 1 and {DAYS_MAX}, not {days}")
    known = [place.node for place in list_places(NODES_MAX)]
    real = connection.execute(
        "SELECT node FROM fleet.nodes WHERE node <> ALL (%s) ORDER BY node LIMIT 1", [known]
    ).fetchone()
    if real:
        raise HistoryError(
            f"{real['node']} is no machine of a twin: only the database of a twin gets an invented "
            "past; FLEET_HOME=.fleet-twin ./fleet up --twin 20 makes one"
        )
    engine = connection.execute("SELECT engine FROM telemetry.engine").fetchone()
    if engine and engine["engine"] != "postgresql":
        raise HistoryError(
            f"{engine['engine']} keeps its levels itself; a past can be filled on plain PostgreSQL"
        )
    told = connection.execute("SELECT FROM telemetry.events WHERE event_id = %s", [EVENT_ID])
    if told.fetchone() is not None:
        raise HistoryError(
            "the past of this twin has been filled before, to its end or in part; "
            "./fleet down --purge and ./fleet up --twin N give an empty one"
        )


def read_end(connection: Connection) -> datetime:
    """Return the minute in which the first row of a live machine came, or the present one."""
    row = connection.execute(
        "SELECT least((SELECT min(time) FROM telemetry.hardware),"
        " (SELECT min(time) FROM telemetry.llm_requests), clock_timestamp()) AS at"
    ).fetchone()
    at = row["at"] if row else datetime.now(UTC)
    return levels.floor(at, timedelta(minutes=1))


def note(connection: Connection, days: int, places: list[Place]) -> None:
    """Write down that the past is filled, so that nobody fills it twice."""
    message = f"The past of {len(places)} machines is filled: {days} days."
    connection.execute(
        "SELECT fleet.record_event(%s, NULL, 'info', %s, %s)", [EVENT_ID, EVENT, message]
    )


def enter_places(connection: Connection, places: list[Place], at: datetime) -> None:
    """Enter machines that nobody has enrolled, as switched off on purpose."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO fleet.nodes (node, node_id, is_expected, enrolled_at)"
            " VALUES (%s, gen_random_uuid(), false, %s) ON CONFLICT DO NOTHING",
            [(place.node, at) for place in places],
        )


@contextmanager
def stretches_table(connection: Connection) -> Iterator[None]:
    """Have the table of stretches for a while."""
    connection.execute(f"DROP TABLE IF EXISTS {TABLE}".encode())
    connection.execute(STRETCHES.read_bytes())
    try:
        yield
    finally:
        connection.execute(f"DROP TABLE {TABLE}".encode())


def store_stretches(
    connection: Connection, places: list[Place], span: levels.Span, seed: int
) -> list[Stretch]:
    """Work out how the machines were, and write it down."""
    found = [
        stretch for place in places for stretch in list_stretches(place, span.begin, span.end, seed)
    ]
    columns = list(levels.read_types(connection, TABLE))
    rows = ([values.get(name) for name in columns] for values in map(list_values, found))
    copy_rows(connection, TABLE, columns, rows)
    connection.execute(f"ANALYZE {TABLE}".encode())
    return found


def tell_conversations(
    connection: Connection,
    stretches: list[Stretch],
    span: levels.Span,
    seed: int,
    say: Callable[[str], None],
) -> int:
    """Write the conversations of the last 30 days of the span; return how many there are."""
    try:
        prompt = conversations.read_prompt(connection)
    except LookupError:
        raise HistoryError("the database has no prompts; ./fleet migrate loads them") from None
    teller = conversations.Teller(conversations.read_scenarios(connection), prompt, seed)
    by_day: dict[datetime, list[Stretch]] = {}
    for stretch in stretches:
        by_day.setdefault(levels.floor(stretch.begin, DAY), []).append(stretch)
    count = 0
    for command in SESSION:
        connection.execute(command)
    for day, own in sorted(by_day.items()):
        written = teller.write_day(day, own)
        if day < span.end - levels.KEPT_CALLS or not written:
            continue
        conversations.store(connection, teller.render_day(day, written))
        count += len(written)
        say(f"conversations: {count} to {day:%Y-%m-%d}")
    with connection.transaction():
        connection.execute(COUNTS.read_bytes())
    return count


def _fill_part(connect: Connect, part: levels.Part, seed: int, say: Callable[[str], None]) -> None:
    with connect() as connection:
        for command in SESSION:
            connection.execute(command)
        # The numbers that rows are drawn by; the same for the same part.
        number = random.Random(f"{seed} {part}").uniform(-1, 1)  # noqa: S311
        connection.execute("SELECT setseed(%s)", [number])
        levels.fill_part(connection, part)
    level = "readings" if part.is_raw else "minutes"
    say(f"{part.table}: {level} to {part.end:%Y-%m-%d %H:%M}")
