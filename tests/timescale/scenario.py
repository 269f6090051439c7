"""
Scenarios of the levels: `.sql` files with the rows that they must give, whatever stores them.

A file is a sentence, then steps. `-- given` writes. `-- settle` does the upkeep as it is done now,
`-- settle 20` as it was done 20 hours ago. `-- expect` asks; the rows follow as `-- | a | b |`.
`ago(3)` is the beginning of the hour three hours before the present one. Nodes belong to one file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from psycopg.rows import tuple_row

FOLDER = Path(__file__).parent / "scenarios"
# The hour stays that in which the tests began.
PREPARE = """
CREATE SCHEMA scenario;
CREATE TABLE scenario.clock AS SELECT date_trunc('hour', now()) AS hour;
CREATE FUNCTION scenario.ago(hours integer) RETURNS timestamptz LANGUAGE sql STABLE
  AS 'SELECT hour - make_interval(hours => hours) FROM scenario.clock';
"""


@dataclass
class Step:
    """One step: its kind, the hours of `settle`, SQL, and the rows that are expected."""

    kind: str
    hours: int
    sql: str = ""
    rows: list[str] = field(default_factory=list)


def parse_steps(text):
    """Return the steps of a scenario."""
    steps = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if words[:1] == ["--"] and words[1:2] and words[1] in {"given", "settle", "expect"}:
            steps.append(Step(words[1], int(words[2]) if words[2:] else 0))
        elif line.startswith("-- |"):
            steps[-1].rows.append(line.removeprefix("-- "))
        else:
            steps[-1].sql += line + "\n"
    return steps


def render_row(row):
    """Return a row as the files have it."""
    values = ("NULL" if value is None else str(value) for value in row)
    return f"| {' | '.join(values)} |"


def prepare(connection):
    """Make what the files use."""
    connection.execute(PREPARE)
    connection.execute("SET search_path = scenario; SET timezone = 'UTC'")


def play(connection, settle, text):
    """Run a scenario; return what was given and what was expected, a pair for each question."""
    pairs = []
    for step in parse_steps(text):
        if step.kind == "settle":
            settle(connection, step.hours)
        elif step.kind == "given":
            connection.execute(step.sql)
        else:
            with connection.cursor(row_factory=tuple_row) as cursor:
                rows = [render_row(row) for row in cursor.execute(step.sql)]
            pairs.append((rows, step.rows))
    return pairs
