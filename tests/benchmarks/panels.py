"""
Ask every SQL query of the committed dashboards of a fleet that has worked for a month.

Run by hand (README.md); it fails nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import database
import psycopg
from filled import AUDIT, AWAKE, MONTH, TOLD, Amount, fill, say
from fleet_orchestrator.generation import catalogue
from fleet_timescale.connection import connect
from fleet_twin.history.fill import fill_history
from fleet_twin.machine.kinds import list_places
from psycopg.conninfo import make_conninfo
from rotations import percentile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fleet_timescale.connection import Connection

DASHBOARDS = Path(__file__).parents[2] / "grafana/dashboards"
GOAL_MS = 250
# What a person would pick where it matters; any other variable has the first value of its list.
PICKED = {
    "job": "SELECT job_id::text FROM analytics.jobs ORDER BY wanted DESC, created_at DESC LIMIT 1",
    "jobs": "SELECT job_id::text FROM analytics.jobs ORDER BY wanted DESC, created_at DESC LIMIT 3",
    "conversation": "SELECT conversation_id::text FROM analytics.conversations"
    " ORDER BY created_at DESC LIMIT 1",
    "scope": "SELECT 'node:' || min(node) FROM analytics.nodes",
}
STEPS_MAX = 800  # points that Grafana asks for, by the width of a panel
HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0}

Values = dict[str, list[str]]


@dataclass(frozen=True)
class Query:
    """One SQL query of a dashboard; `hours` is the range that the dashboard shows at first."""

    uid: str
    title: str
    sql: str
    hours: float
    values: Values


@dataclass(frozen=True)
class Line:
    """How long the answers of one query took, ms, or why there was none."""

    query: Query
    hours: float
    taken: list[float]
    failure: str = ""

    @property
    def p95(self) -> float:
        """The worst of all where there was no answer."""
        return percentile(self.taken, 95) if self.taken else float("inf")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--home", type=Path, help="ask the database of this running home instead")
    parser.add_argument("--history", type=int, help="days of `fleet twin history` to fill instead")
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--conversations", type=int, default=1_000_000, help="of 8 turns each")
    parser.add_argument("--waiting", type=int, default=500_000, help="tasks")
    parser.add_argument(
        "--hours", type=float, nargs="*", default=[24, 168],
        help="ranges asked beside the one that each dashboard shows at first",
    )  # fmt: skip
    parser.add_argument("--times", type=int, default=20, help="of each query")
    return parser.parse_args()


def read_queries(grafana: Connection) -> Iterator[Query]:
    """Yield each query of each panel, and those that fill the lists of variables."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(path.read_text())
        uid, hours = dashboard["uid"], parse_range(dashboard["time"]["from"])
        values: Values = {}
        for variable in dashboard["templating"]["list"]:
            values[variable["name"]] = choose(grafana, variable, values, hours)
            if variable["type"] == "query":
                title = f"variable {variable['name']}"
                yield Query(uid, title, variable["query"], hours, values)
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                if "rawSql" in target:
                    title = f"{panel['title']} {target['refId']}"
                    yield Query(uid, title, target["rawSql"], hours, values)


def parse_range(begin: str) -> float:
    """Return the hours that a range such as `now-3h` holds."""
    number, unit = re.fullmatch(r"now-(\d+)([mhd])", begin).groups()
    return int(number) * HOURS[unit]


def choose(
    grafana: Connection, variable: dict[str, Any], values: Values, hours: float
) -> list[str]:
    """Return what a variable holds; its own list where nothing is PICKED."""
    picked = PICKED.get(variable["name"])
    if picked is None and variable["type"] != "query":
        return [str(variable["current"]["value"])]
    rows = grafana.execute((picked or expand(variable["query"], values, hours)).encode()).fetchall()
    found = [str(row.get("__value", next(iter(row.values())))) for row in rows]
    if not found:
        raise RuntimeError(f"variable {variable['name']} has nothing to pick; fill the database")
    return found if picked else found[:1]


def expand(sql: str, values: Mapping[str, list[str]], hours: float) -> str:
    """Put in for Grafana's macros and variables what it would for the last hours."""
    until = datetime.now(UTC)
    start = (until - timedelta(hours=hours)).isoformat()
    step_ms = max(5000, int(hours * 3_600_000 / STEPS_MAX))
    sql = re.sub(
        r"\$__timeFilter\(([^)]+)\)", rf"\1 BETWEEN '{start}' AND '{until.isoformat()}'", sql
    )
    sql = sql.replace("$__timeFrom()", f"'{start}'").replace("$__timeTo()", f"'{until}'")
    for name, chosen in values.items():
        quoted = ",".join("'" + value.replace("'", "''") + "'" for value in chosen)
        sql = sql.replace(f"${{{name}:sqlstring}}", quoted)
    sql = sql.replace("$__interval_ms", str(step_ms))
    if "${" in sql or "$__" in sql:
        raise RuntimeError(f"a variable or macro that this benchmark cannot fill in: {sql}")
    return sql


def measure(grafana: Connection, query: Query, hours: float, times: int) -> Line:
    """Ask a query again and again; the first answer, which fills caches, is left out."""
    taken = []
    try:
        for _ in range(times + 1):
            since = time.perf_counter()
            grafana.execute(expand(query.sql, query.values, hours).encode()).fetchall()
            taken.append((time.perf_counter() - since) * 1000)
    except psycopg.Error as exc:
        return Line(query, hours, [], str(exc).splitlines()[0])
    return Line(query, hours, taken[1:])


def render(lines: list[Line]) -> str:
    """Return the table, the slowest first, and how many are over the goal."""
    rows = [
        "| dashboard | query | range, h | p50, ms | p95, ms | goal |",
        "|---|---|---|---|---|---|",
    ]
    for line in sorted(lines, key=lambda line: -line.p95):
        own = " (first)" if line.hours == line.query.hours else ""
        figures = f"{percentile(line.taken, 50):.1f} | {line.p95:.1f}" if line.taken else " | "
        held = line.failure or ("held" if line.p95 <= GOAL_MS else "OVER")
        named = f"{line.query.uid} | {line.query.title} | {line.hours:g}{own}"
        rows.append(f"| {named} | {figures} | {held} |")
    first = [line for line in lines if line.hours == line.query.hours]
    return "\n".join([*rows, "", *(count_over("first ranges", first), count_over("all", lines))])


def count_over(what: str, lines: list[Line]) -> str:
    """Return the sum of the table in a sentence."""
    over = sum(line.p95 > GOAL_MS for line in lines)
    return f"{what}: {over} of {len(lines)} queries over {GOAL_MS} ms at p95"


def run(dsn: str, arguments: argparse.Namespace) -> str:
    lines = []
    with connect(dsn, "benchmark") as grafana:
        queries = list(read_queries(grafana))
        for query in queries:
            for hours in sorted({query.hours, *arguments.hours}):
                lines.append(measure(grafana, query, hours, arguments.times))
                say(f"{query.uid}: {query.title}, {hours:g} h, p95 {lines[-1].p95:.0f} ms")
        empty = find_empty(grafana, queries)
    return f"{render(lines)}\nviews without a row, read for nothing: {', '.join(empty) or 'none'}"


def find_empty(grafana: Connection, queries: list[Query]) -> list[str]:
    """Return the views that queries read and that have no row: their times mean nothing."""
    views = {view for query in queries for view in re.findall(r"\banalytics\.\w+", query.sql)}
    probe = "SELECT EXISTS (SELECT FROM {}) AS has_rows"
    return [
        view
        for view in sorted(views)
        if not grafana.execute(probe.format(view).encode()).fetchall()[0]["has_rows"]
    ]


def read_home(home: Path) -> str:
    """Return the address of a home's database, with the login that Grafana has."""
    secrets = home / "secrets"
    password = (secrets / "grafana_password").read_text().strip()
    dsn = (secrets / "owner.dsn").read_text().strip()
    return make_conninfo(dsn, user="fleet_grafana", password=password)


@contextmanager
def run_filled(arguments: argparse.Namespace) -> Iterator[str]:
    """Fill a throw-away database and yield its address."""
    amount = Amount(arguments.nodes, written=arguments.conversations, waiting=arguments.waiting)
    with (
        tempfile.TemporaryDirectory(prefix="fleet-benchmark-") as folder,
        database.run_postgres(Path(folder)) as port,
    ):
        database.prepare(port, [])
        open_ = partial(connect, database.render_dsn(port, database.OWNER), "benchmark")
        with open_() as owner:
            if arguments.history:
                catalogue.load(owner)
                fill_history(open_, arguments.history, list_places(arguments.nodes), 1, say)
                fill(owner, {"nodes": AWAKE, "audit": AUDIT, **TOLD}, amount)
            else:
                fill(owner, MONTH, amount)
            owner.execute("ALTER ROLE fleet_grafana LOGIN")
        yield database.render_dsn(port, "fleet_grafana")


def main() -> None:
    """Run the benchmark."""
    arguments = parse_arguments()
    if arguments.home:
        sys.stdout.write(run(read_home(arguments.home), arguments) + "\n")
        return
    with run_filled(arguments) as dsn:
        sys.stdout.write(run(dsn, arguments) + "\n")


if __name__ == "__main__":
    sys.exit(main())
