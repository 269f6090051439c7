"""
The guide and cookbook of timescale/: queries, each with the rows that cookbook/fleet.sql gives.

Of a query count the heading above it, the block ```sql, and the table below it. The clock of the
readers stands at Monday 2026-03-09 between 12:00 and 13:00: their time zone is the one in which
the hour is 12 now, and days are moved to those of the guide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from fleet_timescale.migrate import ROOT

FLEET = Path(__file__).parent / "cookbook/fleet.sql"
PAGES = (ROOT / "README.md", *sorted((ROOT / "cookbook").glob("*.md")))
MONDAY = date(2026, 3, 9)
RECIPE = re.compile(
    r"^#+ (?P<title>.+)\n(?:(?!#|```sql).*\n)*```sql\n(?P<sql>(?:(?!```).*\n)+)```\n"
    r"\n?(?P<table>(?:\|.*\n)*)",
    re.MULTILINE,
)
LEVELS = "SELECT table_name FROM telemetry.levels WHERE rollup IS NOT NULL"
FILL = "CALL telemetry.fill_levels('{}', scenario.ago(90), scenario.ago(-1))"
SET_CLOCK = "SET TIME ZONE INTERVAL '{}' HOUR"


@dataclass(frozen=True)
class Recipe:
    """A query, what it answers, and the lines of the table below it."""

    title: str
    sql: str
    lines: tuple[str, ...]


def read_recipes(text):
    """Return the queries of a page."""
    return [
        Recipe(found["title"], found["sql"], tuple(found["table"].splitlines()))
        for found in RECIPE.finditer(text)
    ]


def load_fleet(connection):
    """Fill an empty database, that scenario.prepare has seen, with the fleet of the cookbook."""
    connection.execute(FLEET.read_text())
    for row in connection.execute(LEVELS).fetchall():
        connection.execute(FILL.format(row["table_name"]))


def read_clock(connection):
    """Return what UTC has to be moved by to be past 12, in hours, and today's date there."""
    (row,) = connection.execute("SELECT scenario.ago(0) AS at").fetchall()
    hours = 12 - row["at"].hour
    return hours, (row["at"] + timedelta(hours=hours)).date()


def ask(connection, sql):
    """Return the names of the columns and the rows, as psql shows them."""
    answer = connection.pgconn.exec_(sql.encode())
    if answer.error_message:
        raise AssertionError(answer.error_message.decode())
    columns = range(answer.nfields)
    cells = [[answer.get_value(n, c) or b"" for c in columns] for n in range(answer.ntuples)]
    return [[answer.fname(c).decode() for c in columns]] + [[c.decode() for c in r] for r in cells]


def render_table(rows, today):
    """Return the lines of a Markdown table, with the days and the time zone of the guide."""

    def move(found):
        return str(date.fromisoformat(found[0]) + (MONDAY - today))

    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    moved = (re.sub(r"\b\d{4}-\d\d-\d\d\b", move, line) for line in lines)
    return tuple(re.sub(r"(:\d\d(?:\.\d+)?)[+-]\d\d\b", r"\1+00", line) for line in moved)
