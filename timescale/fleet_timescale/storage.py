"""What the levels of readings take on disk, and what they will: measured, and told to people."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from fleet_timescale.connection import Connection

MEASURE = """
SELECT table_name, level, keep::text AS keep, bytes, saved_bytes, rows, days, rows_per_day,
  month_bytes, full_bytes, next_drop_at, next_drop_bytes
FROM telemetry.measure_storage() ORDER BY bytes DESC, table_name, level"""
WHOLE = "SELECT pg_database_size(current_database()) AS bytes"
TITLES = ("table", "level", "rows", "days", "size", "saved", "a month", "when full", "next drop")
WIDTHS = (14, 8, 13, 7, 11, 11, 11, 11, 0)
UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Level:
    """One level of one table, as the columns of analytics.storage describe it."""

    table_name: str
    level: str
    keep: str | None
    bytes: int
    saved_bytes: int
    rows: int
    days: float | None
    rows_per_day: float | None
    month_bytes: int | None
    full_bytes: int | None
    next_drop_at: datetime | None
    next_drop_bytes: int | None


@dataclass(frozen=True)
class Sizes:
    """All levels, the largest first, and the whole database in bytes."""

    levels: tuple[Level, ...]
    database_bytes: int


def read_sizes(connection: Connection) -> Sizes:
    """Measure. Takes the owner of the database."""
    (whole,) = connection.execute(WHOLE).fetchall()
    rows = connection.execute(MEASURE).fetchall()
    return Sizes(tuple(Level(**row) for row in rows), whole["bytes"])


def render_json(sizes: Sizes) -> str:
    """Return all of it for programs; times in ISO 8601."""
    return json.dumps(asdict(sizes), indent=2, default=lambda time: time.isoformat())


def render(sizes: Sizes) -> str:
    """Return the table, its sums, and the size of the whole database."""
    lines = [TITLES, *map(render_level, sizes.levels), render_sums(sizes)]
    table = "\n".join(
        "".join(f"{cell:<{width}}" for cell, width in zip(line, WIDTHS, strict=True)).rstrip()
        for line in lines
    )
    whole = render_bytes(sizes.database_bytes)
    return f"{table}\nThe whole database, conversations included, takes {whole}."


def render_level(level: Level) -> tuple[str, ...]:
    """Return the cells of a level; a dash where nothing is known or nothing will go."""
    drop = level.next_drop_at
    return (
        level.table_name,
        level.level,
        render_number(level.rows),
        "-" if level.days is None else f"{level.days:.1f}",
        render_bytes(level.bytes),
        render_bytes(level.saved_bytes),
        render_bytes(level.month_bytes),
        render_bytes(level.full_bytes),
        f"{drop:%Y-%m-%d %H:%M} {render_bytes(level.next_drop_bytes)}" if drop else "-",
    )


def render_sums(sizes: Sizes) -> tuple[str, ...]:
    """Return the cells of all levels together."""
    levels = sizes.levels
    return (
        "together",
        "",
        render_number(sum(level.rows for level in levels)),
        "",
        render_bytes(sum(level.bytes for level in levels)),
        render_bytes(sum(level.saved_bytes for level in levels)),
        render_bytes(sum(level.month_bytes or 0 for level in levels)),
        "",
        "",
    )


def render_number(number: int) -> str:
    """Return a number with a blank before each three digits."""
    return f"{number:,}".replace(",", " ")


def render_bytes(size: float | None) -> str:
    """Return bytes as people say them, in powers of 1000; a dash for None."""
    if size is None:
        return "-"
    unit = 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size /= 1000
        unit += 1
    return f"{size:.0f} B" if unit == 0 else f"{size:.1f} {UNITS[unit]}"
