"""How the fleet stands, as the first page shows it: short texts, most important first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fleet_timescale.events import render_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_timescale.connection import Connection

ROWS_MAX = 100  # of nodes, jobs and alerts; Grafana and the API show the rest
NOTHING = "-"
# The colour of a word, wherever it stands.
TONES = {
    "online": "good", "running": "good", "offline": "bad", "critical": "bad", "error": "bad",
    "stale": "warn", "warning": "warn", "paused": "warn", "throttling": "warn", "gaming": "warn",
}  # fmt: skip

NODES = "SELECT * FROM analytics.nodes ORDER BY node LIMIT %s"
JOBS = (
    "SELECT * FROM analytics.jobs WHERE state IN ('pending', 'running', 'paused') "
    "ORDER BY priority DESC, rank, created_at LIMIT %s"
)
ALERTS = (
    "SELECT * FROM analytics.alerts WHERE state = 'firing' "
    "ORDER BY severity <> 'critical', time DESC LIMIT %s"
)
EVENTS = "SELECT * FROM analytics.events ORDER BY time DESC LIMIT 10"

Row = tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """The state of the fleet; the rows of tables as texts."""

    state: str
    changed: str
    changed_by: str
    online: int
    tokens_per_second: str
    waiting: int  # conversations of open jobs that are not written
    nodes: Sequence[Row]
    jobs: Sequence[Row]
    alerts: Sequence[Row]
    events: Sequence[Row]


def read_standing(connection: Connection) -> Standing:
    """Return how the fleet stands."""
    state = connection.execute("SELECT * FROM analytics.fleet_state").fetchall()[0]
    nodes = connection.execute(NODES, [ROWS_MAX]).fetchall()
    jobs = connection.execute(JOBS, [ROWS_MAX]).fetchall()
    now = datetime.now(UTC)
    return Standing(
        state=state["state"],
        changed=render_age(state["changed_at"], now),
        changed_by=state["changed_by"],
        online=sum(node["state"] == "online" for node in nodes),
        tokens_per_second=render_number(sum(node["tokens_per_second"] or 0 for node in nodes)),
        waiting=sum(_count_waiting(job) for job in jobs),
        nodes=[_render_node(node, now) for node in nodes],
        jobs=[_render_job(job, now) for job in jobs],
        alerts=[
            _say(row["severity"], row["alertname"], row["node"], render_age(row["time"], now),
                 row["summary"])
            for row in connection.execute(ALERTS, [ROWS_MAX]).fetchall()
        ],
        events=[
            _say(render_age(row["time"], now), row["node"], row["severity"], row["message"])
            for row in connection.execute(EVENTS).fetchall()
        ],
    )  # fmt: skip


def render_age(time: datetime | None, now: datetime) -> str:
    """Return how long ago an instant was, or in how long it will be."""
    if time is None:
        return NOTHING
    seconds = (now - time).total_seconds()
    if seconds < 0:
        return f"in {render_duration(-seconds)}"
    return f"{render_duration(seconds)} ago"


def render_number(value: float | None) -> str:
    """Return a number with at most one digit behind the point."""
    return NOTHING if value is None else f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}"


def _count_waiting(job: dict[str, Any]) -> int:
    written = job["done"] + job["rejected"] + job["failed"] + job["unjudged"]
    return max(int(job["wanted"] - written), 0)


def _render_node(node: dict[str, Any], now: datetime) -> Row:
    factor = node["throttle_factor"]
    return _say(
        node["node"], node["state"], node["mode"], None if factor is None else f"{factor:.0%}",
        render_number(node["tokens_per_second"]), render_number(node["cpu_temperature_celsius"]),
        render_number(node["gpu_temperature_celsius"]), render_age(node["last_heartbeat_at"], now),
    )  # fmt: skip


def _render_job(job: dict[str, Any], now: datetime) -> Row:
    return _say(
        job["scenario"], job["state"], job["done"], job["wanted"], job["priority"],
        render_age(job["eta_p50_at"], now), job["requested_by"],
    )  # fmt: skip


def _say(*cells: object) -> Row:
    return tuple(NOTHING if cell is None else str(cell) for cell in cells)
