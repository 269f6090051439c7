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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import database
from filled import MONTH, Amount, fill, say
from fleet_timescale.connection import connect
from rotations import percentile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_timescale.connection import Connection

DASHBOARDS = Path(__file__).parents[2] / "grafana/dashboards"
GOAL_MS = 250
# What the variables of dashboards hold; a job is picked once there are some.
PICKED = {
    "node": "bench-1", "scenario": "mixed", "count": "20", "counts": "written", "min_turns": "6",
    "max_turns": "8", "priority": "5", "model": "any", "node_class": "any", "vram_bytes_min": "any",
    "jobs": "none", "scope": "node:bench-1", "older": "0", "newer": "newest", "conversation": "",
}  # fmt: skip
LARGEST_JOB = "SELECT job_id::text AS job FROM analytics.jobs ORDER BY wanted DESC LIMIT 1"
STEPS_MAX = 800  # points that Grafana asks for, by the width of a panel


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--conversations", type=int, default=1_000_000, help="of 8 turns each")
    parser.add_argument("--waiting", type=int, default=500_000, help="tasks")
    parser.add_argument("--hours", type=float, nargs="*", default=[3, 24, 168], help="ranges asked")
    parser.add_argument("--times", type=int, default=20, help="of each query")
    return parser.parse_args()


def read_queries() -> Iterator[tuple[str, str]]:
    """Yield the title and the SQL of each target of each panel."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                if "rawSql" in target:
                    yield f"{path.stem}: {panel['title']} {target['refId']}", target["rawSql"]


def expand(sql: str, hours: float) -> str:
    """Put in for Grafana's macros what it would for the last hours."""
    until = datetime.now(UTC)
    start = (until - timedelta(hours=hours)).isoformat()
    step_ms = max(5000, int(hours * 3_600_000 / STEPS_MAX))
    sql = re.sub(
        r"\$__timeFilter\(([^)]+)\)", rf"\1 BETWEEN '{start}' AND '{until.isoformat()}'", sql
    )
    sql = sql.replace("$__timeFrom()", f"'{start}'").replace("$__timeTo()", f"'{until}'")
    for name, value in PICKED.items():
        sql = sql.replace(f"${{{name}:sqlstring}}", f"'{value}'")
    return sql.replace("$__interval_ms", str(step_ms))


def measure(grafana: Connection, sql: str, hours: float, times: int) -> list[float]:
    """Return how long each answer took, ms; the first one, which fills caches, is left out."""
    taken = []
    for _ in range(times + 1):
        since = time.perf_counter()
        grafana.execute(expand(sql, hours).encode()).fetchall()
        taken.append((time.perf_counter() - since) * 1000)
    return taken[1:]


def render(rows: list[tuple[str, float, list[float]]]) -> str:
    """Return the table, the slowest first."""
    lines = ["| query | range, h | p50, ms | p95, ms | goal |", "|---|---|---|---|---|"]
    for title, hours, taken in sorted(rows, key=lambda row: -percentile(row[2], 95)):
        p95 = percentile(taken, 95)
        held = "held" if p95 <= GOAL_MS else "MISSED"
        lines.append(f"| {title} | {hours:g} | {percentile(taken, 50):.1f} | {p95:.1f} | {held} |")
    return "\n".join(lines)


def run(port: int, arguments: argparse.Namespace) -> str:
    database.prepare(port, [])
    amount = Amount(written=arguments.conversations, waiting=arguments.waiting)
    with connect(database.render_dsn(port, database.OWNER), "benchmark") as owner:
        fill(owner, MONTH, amount)
        owner.execute("ALTER ROLE fleet_grafana LOGIN")
    rows: list[tuple[str, float, list[float]]] = []
    with connect(database.render_dsn(port, "fleet_grafana"), "benchmark") as grafana:
        PICKED["job"] = grafana.execute(LARGEST_JOB).fetchall()[0]["job"]
        for hours in arguments.hours:
            for title, sql in read_queries():
                rows.append((title, hours, measure(grafana, sql, hours, arguments.times)))
                say(f"{title}, {hours:g} h")
    return render(rows)


def main() -> Any:
    """Run the benchmark."""
    arguments = parse_arguments()
    with (
        tempfile.TemporaryDirectory(prefix="fleet-benchmark-") as folder,
        database.run_postgres(Path(folder)) as port,
    ):
        sys.stdout.write(run(port, arguments) + "\n")


if __name__ == "__main__":
    sys.exit(main())
