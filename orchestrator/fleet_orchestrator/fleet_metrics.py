"""
The series about the whole fleet, published by the leading master.

A standby publishes only that it does not lead, and whether the database answers it.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleet_timescale.connection import Connection
    from prometheus_client.metrics_core import Metric

JOB_STATES = ("pending", "running", "done", "failed", "cancelled")
TASK_STATES = ("pending", "claimed", "running", "done", "failed", "cancelled")
NODE_STATES = ("online", "stale", "offline")
# Kept while tasks change: to count a million each time would take longer than a round.
TASKS = """
SELECT sum(pending)::bigint AS pending, sum(claimed)::bigint AS claimed,
  sum(running)::bigint AS running, sum(done)::bigint AS done, sum(failed)::bigint AS failed,
  sum(cancelled)::bigint AS cancelled FROM fleet.job_counts"""
JOBS = "SELECT state::text, count(*) AS n FROM fleet.jobs GROUP BY 1"
NODES = (
    "SELECT node, state, is_expected, extract(epoch FROM last_heartbeat_at)::float AS at "
    "FROM analytics.nodes"
)
FAILED_OVER = (
    "SELECT coalesce(extract(epoch FROM failed_over_at), 0)::float AS at FROM analytics.master"
)
# Those that neither obeyed nor are offline: of a node that is off nobody expects an answer.
UNACKNOWLEDGED = """
SELECT count(*) AS n FROM analytics.emergency_stop e JOIN analytics.nodes n USING (node)
WHERE (SELECT state FROM fleet.state) = 'stopped' AND e.acknowledged_at IS NULL
  AND n.state <> 'offline'"""
DUPLICATED = """
SELECT node, extract(epoch FROM duplicated_at)::float AS at FROM fleet.nodes
WHERE duplicated_at IS NOT NULL AND removed_at IS NULL"""
FRESH_SECONDS = 10.0  # a master that hangs must not go on telling old numbers


@dataclass(frozen=True)
class Standing:
    """How the fleet stands at one moment."""

    jobs: dict[str, int]
    tasks: dict[str, int]
    nodes: dict[str, int]
    heartbeats: dict[str, float]
    expected: dict[str, bool]
    duplicated: dict[str, float]
    state: str
    thresholds: dict[str, float]
    failed_over_at: float
    unacknowledged: int


def read_standing(connection: Connection) -> Standing:
    """Read all numbers in one transaction."""
    with connection.transaction():
        nodes = connection.execute(NODES).fetchall()
        return Standing(
            jobs={row["state"]: row["n"] for row in connection.execute(JOBS)},
            tasks={state: n or 0 for state, n in connection.execute(TASKS).fetchall()[0].items()},
            nodes=Counter(row["state"] for row in nodes),
            heartbeats={row["node"]: row["at"] for row in nodes if row["at"] is not None},
            expected={row["node"]: row["is_expected"] for row in nodes},
            duplicated={row["node"]: row["at"] for row in connection.execute(DUPLICATED)},
            state=connection.execute("SELECT state FROM fleet.state").fetchall()[0]["state"],
            unacknowledged=connection.execute(UNACKNOWLEDGED).fetchall()[0]["n"],
            thresholds={
                row["key"]: row["value"]
                for row in connection.execute(
                    "SELECT key, fleet.setting(key) AS value FROM fleet.settings WHERE is_threshold"
                )
            },
            failed_over_at=connection.execute(FAILED_OVER).fetchall()[0]["at"],
        )


class FleetCollector(Collector):
    """Serves the last standing; without one, whether it leads and whether the database answers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._standing: Standing | None = None
        self._clock = clock
        self._published_at = 0.0
        self._levels_at = 0.0
        self._taken_back = 0
        self._has_database: bool | None = None  # None: not known yet
        self._answered_at = 0.0

    def note_database(self, *, answers: bool) -> None:
        """The database has just answered, or could not be reached."""
        self._has_database, self._answered_at = answers, self._clock()

    def count_taken_back(self, tasks: int) -> None:
        """Count tasks whose leases had ended."""
        self._taken_back += tasks

    def publish(self, standing: Standing) -> None:
        """Serve this from now on, until it is too old to be true."""
        self._standing = standing
        self._published_at = self._clock()

    def note_levels(self) -> None:
        """Readings are rolled up as of now, or somebody else saw to it until now."""
        self._levels_at = time.time()

    def forget(self) -> None:
        """Serve no numbers: another master leads, or the database is away."""
        self._standing = None

    def collect(self) -> Iterator[Metric]:
        """Yield the families for one scrape."""
        is_fresh = self._clock() - self._published_at < FRESH_SECONDS
        standing = self._standing if is_fresh else None
        if self._has_database is not None:
            answers = self._has_database and self._clock() - self._answered_at < FRESH_SECONDS
            yield GaugeMetricFamily(
                "fleet_database_up",
                "1 if the database answers this program, 0 if it does not (master, control API).",
                float(answers),
            )
        yield GaugeMetricFamily(
            "fleet_master_leading",
            "1 on the master that leads (fleet.state).",
            float(standing is not None),
        )
        if standing is None:
            return
        yield _by(
            "fleet_jobs",
            "Jobs by state (analytics.jobs).",
            "state",
            _fill(JOB_STATES, standing.jobs),
        )
        yield _by(
            "fleet_tasks",
            "Tasks by state (analytics.tasks).",
            "state",
            _fill(TASK_STATES, standing.tasks),
        )
        yield _by(
            "fleet_nodes",
            "Nodes by state of their heartbeat (analytics.nodes).",
            "state",
            _fill(NODE_STATES, standing.nodes),
        )
        yield _by(
            "fleet_node_heartbeat_timestamp_seconds",
            "Last heartbeat of the node agent (analytics.nodes).", "node", standing.heartbeats,
        )  # fmt: skip
        yield _by(
            "fleet_node_expected",
            "0 while a node is switched off on purpose.",
            "node",
            standing.expected,
        )
        yield _by(
            "fleet_node_duplicated_timestamp_seconds",
            "When another machine said last that it is this node; absent: never (fleet.nodes).",
            "node",
            standing.duplicated,
        )
        yield _by(
            "fleet_threshold",
            "Thresholds that people set (analytics.config).",
            "key",
            standing.thresholds,
        )
        yield from self._collect_state(standing)

    def _collect_state(self, standing: Standing) -> Iterator[Metric]:
        """Yield what the fleet as a whole and its master do."""
        yield GaugeMetricFamily(
            "fleet_paused",
            "1 while nodes take no work: the fleet is paused or stopped.",
            float(standing.state != "running"),
        )
        yield GaugeMetricFamily(
            "fleet_stopped",
            "1 from an emergency stop until people resume.",
            float(standing.state == "stopped"),
        )
        yield GaugeMetricFamily(
            "fleet_stop_unacknowledged_nodes",
            "Nodes that may still work although the fleet is stopped (analytics.emergency_stop).",
            standing.unacknowledged,
        )
        yield CounterMetricFamily(
            "fleet_tasks_taken_back_total",
            "Tasks whose leases ended without a result, since this master began (fleet.tasks).",
            self._taken_back,
        )
        yield GaugeMetricFamily(
            "fleet_levels_upkeep_timestamp_seconds",
            "Last round in which all readings were rolled up; the beginning of the lead before.",
            self._levels_at,
        )
        yield GaugeMetricFamily(
            "fleet_master_failover_timestamp_seconds",
            "When a standby master took over from one that had fallen silent; 0: never.",
            standing.failed_over_at,
        )


def _fill(states: tuple[str, ...], counts: dict[str, int]) -> dict[str, int]:
    """Give every state a number, 0 included: a series that vanishes says nothing."""
    return {state: counts.get(state, 0) for state in states}


def _by(
    name: str, text: str, label: str, values: dict[str, int] | dict[str, float] | dict[str, bool]
) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family
