"""Panels about how the fleet stands: how many machines are there, and what needs a look."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.looks import SEVERITIES
from fleet_dashboards.panels import (
    AGO,
    COLOURED,
    LONG,
    Head,
    override,
    stat,
    table,
    thresholds,
)

# The second half makes a row of its own, so that a failed query never reads as calm.
TROUBLES = """
        WITH troubles AS (
          SELECT t.severity, n.node, t.trouble, t.since, t.place
          FROM analytics.nodes n LEFT JOIN analytics.endpoints e USING (node),
            LATERAL (VALUES
              (1, n.state = 'offline', 'critical', 'is offline: agent and exporter are silent',
                n.last_heartbeat_at),
              (2, n.state = 'stale', 'warning', n.silent || ' is silent', n.last_heartbeat_at),
              (3, n.state = 'online' AND n.silent IS NOT NULL, 'warning',
                n.silent || ' is silent: its sensors are not seen', NULL),
              (4, greatest(n.cpu_temperature_celsius, n.gpu_temperature_celsius) > 80, 'critical',
                'is hot: ' || round(greatest(n.cpu_temperature_celsius,
                  n.gpu_temperature_celsius)::numeric) || ' °C', NULL),
              (5, n.state = 'online' AND (n.llm_circuit_opened_at IS NOT NULL
                  OR e.state IN ('no_model', 'wedged', 'unreachable')), 'warning',
                'writes nothing: its model server '
                  || CASE e.state WHEN 'no_model' THEN 'lacks the model' WHEN 'wedged'
                     THEN 'fails each call' WHEN 'unreachable' THEN 'does not answer'
                     ELSE 'fails' END,
                coalesce(n.llm_circuit_opened_at, e.changed_at)),
              (6, n.state = 'online' AND n.worker_state IN ('stopped', 'draining'), 'info',
                'was told to stop writing', NULL),
              (7, n.mode = 'gaming', 'info', 'is played on and writes nothing', NULL),
              (8, n.mode = 'throttling', 'warning',
                'is slowed down to ' || round(n.throttle_factor::numeric * 100) || ' %', NULL)
            ) AS t(place, holds, severity, trouble, since)
          WHERE n.is_expected AND t.holds
        )
        SELECT severity AS "Severity", node AS "Node", trouble AS "Trouble", since AS "Since" FROM (
          SELECT * FROM troubles
          UNION ALL SELECT 'none', NULL, 'all machines are well', NULL, 9
          WHERE NOT EXISTS (SELECT FROM troubles)
        ) AS shown ORDER BY place, node
        """


def counts(number: int = 28) -> Json:
    """Return how many machines are there, and how many are missed."""
    head = Head(
        number,
        "Machines",
        "Enrolled machines: online (heartbeat within 30 s), stale (one of agent and exporter spoke "
        "within 120 s), offline (both are silent), off (on purpose, by people or by a calendar). "
        "Source: analytics.nodes.",
        "locale",
        "unknown: the database does not answer",
    )
    query = sql("""
        SELECT count(*) FILTER (WHERE state = 'online') AS online,
          count(*) FILTER (WHERE state = 'stale' AND is_expected) AS stale,
          count(*) FILTER (WHERE state = 'offline' AND is_expected) AS offline,
          count(*) FILTER (WHERE state <> 'online' AND NOT is_expected) AS off
        FROM analytics.nodes
        """)
    overrides = [
        override("stale", thresholds=thresholds("text", (1, "orange"))),
        override("offline", thresholds=thresholds("text", (1, "red"))),
    ]
    return stat(head, query, decimals=0, thresholds=thresholds("text"), overrides=overrides)


def troubles() -> Json:
    """Return what is wrong with which machine, the worst first."""
    head = Head(
        29,
        "Machines that need a look",
        "Each machine that is not off on purpose and is missing, hot (above 80 °C), slowed down, "
        "without a working model server, told to stop, or played on. "
        "Source: analytics.nodes and analytics.endpoints.",
        "string",
        "unknown: the database does not answer",
    )
    overrides = [
        override("Severity", mappings=SEVERITIES, custom__cellOptions=COLOURED, custom__width=80),
        override("Node", custom__width=110, links=links.to_node()),
        override("Trouble", **LONG),
        override("Since", **AGO),
    ]
    return table(head, sql(TROUBLES), overrides=overrides)


def failures() -> Json:
    """Return what went wrong with writing, the commonest first."""
    head = Head(
        30,
        "Failed attempts",
        "Attempts at a conversation that failed in the chosen time, by what went wrong and where, "
        "with the last message. An attempt that fails is made again, elsewhere if need be. "
        "Source: analytics.task_failures.",
        "string",
        "no attempt failed in this time",
    )
    query = sql("""
        SELECT kind AS "What", node AS "Node", count(*) AS "Times", max(time) AS "Last",
          (array_agg(message ORDER BY time DESC))[1] AS "Last message"
        FROM analytics.task_failures WHERE $__timeFilter(time)
        GROUP BY kind, node ORDER BY count(*) DESC, kind, node LIMIT 50
        """)
    overrides = [
        override("What", custom__width=130, custom__inspect=True),
        override("Node", custom__width=110, links=links.to_node()),
        override("Times", unit="locale", custom__width=70),
        override("Last", **AGO),
        override("Last message", **LONG),
    ]
    return table(head, query, overrides=overrides)
