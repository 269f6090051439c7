"""Panels about the work: the queue, the nodes that do it, the jobs, and how fast it goes."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.actions import Button, buttons_column, field
from fleet_dashboards.datasources import RATE_STEP, Json, instant, series, sql
from fleet_dashboards.looks import (
    HEAT,
    HEAT_BOUNDARY,
    JOB_STATES,
    MODES,
    NODE_STATES,
    SHARE,
)
from fleet_dashboards.panels import (
    COLOURED,
    FILLED,
    HIDDEN,
    Head,
    absent,
    lines,
    override,
    share_bar,
    stat,
    table,
    thresholds,
)

# Open jobs as they will be worked off, then the latest others.
QUEUE_ORDER = (
    "finished_at IS NOT NULL, CASE WHEN finished_at IS NULL THEN -priority END, "
    "CASE WHEN finished_at IS NULL THEN rank END, "
    "CASE WHEN finished_at IS NULL THEN created_at END, created_at DESC"
)
NO_MASTER = "no master leads"


def node_buttons(node: str) -> list[Button]:
    """Return what can be told to a machine; node is its name, or what Grafana puts in for it."""
    return [
        Button(
            verb=f"node-{verb}",
            label=verb.capitalize(),
            question=question,
            variant=variant,
            arguments=[("node", node)],
        )
        for verb, variant, question in (
            ("start", "success", f"Let the worker of {node} run? It takes conversations at once."),
            (
                "drain",
                "secondary",
                f"Drain {node}? It finishes what it writes, takes no more, and stays stopped.",
            ),
            (
                "restart",
                "primary",
                f"Restart the worker of {node}? What it writes is given back, and it goes on.",
            ),
            (
                "stop",
                "destructive",
                f"Stop the worker of {node} now? What it writes is given back; it stays stopped.",
            ),
        )
    ]


def tasks() -> Json:
    """Return how many conversations wait, are being written, are written, or were given up."""
    head = Head(
        3,
        "Conversations to write",
        "Tasks (one conversation each) by state; running includes those claimed by a worker. "
        "Source: Prometheus, fleet_tasks of the leading master; the same in SQL: "
        "SELECT state, count(*) FROM analytics.tasks GROUP BY state.",
        "locale",
        NO_MASTER,
    )
    targets = [
        instant('sum(fleet_tasks{state="pending"})', "pending", ref="A"),
        instant('sum(fleet_tasks{state=~"claimed|running"})', "running", ref="B"),
        instant('sum(fleet_tasks{state="done"})', "done", ref="C"),
        instant('sum(fleet_tasks{state="failed"})', "failed", ref="D"),
    ]
    return stat(head, *targets, **_counts())


def jobs() -> Json:
    """Return how many orders wait, run, are done, or failed."""
    head = Head(
        4,
        "Jobs",
        "Orders for conversations by state. Source: Prometheus, fleet_jobs of the leading master; "
        "the same in SQL: SELECT state, count(*) FROM analytics.jobs GROUP BY state.",
        "locale",
        NO_MASTER,
    )
    targets = [
        instant(f'sum(fleet_jobs{{state="{state}"}})', state, ref=ref)
        for ref, state in zip("ABCD", ("pending", "running", "done", "failed"), strict=True)
    ]
    return stat(head, *targets, **_counts())


def _counts() -> Json:
    failed = override("failed", thresholds=thresholds("text", (1, "red")))
    return {"thresholds": thresholds("text"), "decimals": 0, "overrides": [failed]}


def nodes() -> Json:
    """Return the grid of machines."""
    head = Head(
        5,
        "Nodes",
        "Every enrolled machine. Online: heartbeat within 30 s; stale: one of agent and "
        "exporter spoke within 120 s; offline: both are silent. "
        "Speed: the share of full speed that heat and the owner's use allow. "
        "Temperatures: green < 70 °C, yellow 70-80 °C, red > 80 °C. The buttons need the role "
        "Editor or Admin; their question names the machine. Source: analytics.nodes.",
        "string",
        "no machine to show",
    )
    query = sql("""
        SELECT node AS "Node",
          CASE WHEN is_expected OR state = 'online' THEN state ELSE 'off' END AS "State",
          round(extract(epoch FROM now() - last_heartbeat_at)) AS "Heartbeat",
          worker_state AS "Worker", mode AS "Mode", throttle_factor AS "Speed",
          tokens_per_second AS "Tokens/s", jobs_done AS "Written", cpu_utilization_ratio AS "CPU",
          memory_used_bytes::double precision / memory_total_bytes AS "Memory",
          cpu_temperature_celsius AS "CPU temp.", gpu_temperature_celsius AS "GPU temp.",
          '' AS "Worker is to"
        FROM analytics.nodes ORDER BY node
        """)
    heat = {
        "unit": "celsius",
        "decimals": 0,
        "thresholds": HEAT,
        "mappings": HEAT_BOUNDARY + absent("no sensor"),
        "custom__cellOptions": COLOURED,
        "custom__width": 84,
    }
    full = thresholds("text", (0.85, "yellow"), (0.95, "red"))
    overrides = [
        override("Node", custom__minWidth=100, links=links.to_node()),
        override("State", mappings=NODE_STATES, custom__cellOptions=FILLED, custom__width=108),
        override("Heartbeat", unit="s", decimals=0, mappings=absent("never"), custom__width=84),
        override("Worker", custom__width=84),
        override(
            "Mode",
            mappings=MODES + absent("no reading"),
            custom__cellOptions=COLOURED,
            custom__width=88,
        ),
        override("Speed", **SHARE, custom__width=76),
        override("Tokens/s", unit="none", decimals=1, custom__width=76),
        override("Written", unit="locale", custom__width=72),
        override("CPU", **SHARE, custom__width=66),
        override(
            "Memory", **SHARE, custom__width=74, custom__cellOptions=COLOURED, thresholds=full
        ),
        override("CPU temp.", **heat),
        override("GPU temp.", **heat),
        buttons_column("Worker is to", 250, *node_buttons(field("Node"))),
    ]
    return table(head, query, overrides=overrides)


def progress() -> Json:
    """Return the open jobs, then the latest others, with how far they are and when they end."""
    head = Head(
        7,
        "Progress of jobs",
        "Open jobs in queue order, then the latest ended ones. The end is estimated from the last "
        "50 conversations: half of all forecasts are met by P50, nine in ten by P90. "
        "Source: analytics.jobs.",
        "string",
        "no job to show; fleet jobs submit --scenario healthcare_billing --count 5 makes one",
    )
    # The counts of a job cost time: they are asked for the twelve that are shown.
    query = sql(
        """
        SELECT scenario AS "Scenario", wanted AS "Wanted", requested_by AS "Ordered by",
          state AS "State", progress_ratio AS "Progress", done AS "Accepted",
          rejected AS "Rejected", failed AS "Failed", eta_p50_at AS "End (P50)",
          eta_p90_at AS "End (P90)", left(job_id::text, 8) AS "Job", job_id::text AS job_id
        FROM analytics.jobs
        WHERE job_id = ANY (ARRAY(SELECT job_id FROM analytics.jobs ORDER BY {order} LIMIT 12))
        ORDER BY {order}
        """.replace("{order}", QUEUE_ORDER)
    )
    end = {"unit": "dateTimeFromNow", "custom__width": 125}
    counts = {"unit": "locale", "custom__width": 82}
    overrides = [
        override("Scenario", custom__width=190, links=links.to_job()),
        override("Ordered by", custom__width=120, custom__inspect=True),
        override("State", mappings=JOB_STATES, custom__cellOptions=COLOURED, custom__width=85),
        share_bar("Progress", thresholds("green")),
        *(override(name, **counts) for name in ("Wanted", "Accepted", "Rejected", "Failed")),
        override("End (P50)", **end),
        override("End (P90)", **end),
        override("Job", custom__width=90, links=links.to_job()),
        override("job_id", **HIDDEN),
    ]
    return table(head, query, overrides=overrides)


def conversations_per_hour() -> Json:
    """Return how many conversations were written in the hour before each moment."""
    head = Head(
        8,
        "Conversations per hour",
        "Judged conversations written in the 60 minutes before each moment. "
        "Source: analytics.conversations by created_at.",
        "suffix:/h",
        "no conversation to show",
    )
    # One index scan of the range, counted by bucket; the window then adds up each hour.
    query = sql(
        """
        WITH steps AS (
          SELECT make_interval(secs => greatest(60, $__interval_ms / 1000)) AS step
        ), buckets AS (
          SELECT date_bin(step, created_at, 'epoch') AS begun,
            count(*) FILTER (WHERE state = 'accepted') AS accepted,
            count(*) FILTER (WHERE state = 'rejected') AS rejected
          FROM analytics.conversations, steps
          WHERE created_at >= $__timeFrom()::timestamptz - interval '1 hour'
            AND created_at <= $__timeTo()::timestamptz
          GROUP BY 1
        ), moments AS (
          SELECT step, generate_series(
            date_bin(step, $__timeFrom()::timestamptz - interval '1 hour', 'epoch'),
            $__timeTo()::timestamptz, step) AS begun
          FROM steps
        )
        SELECT least(time, $__timeTo()::timestamptz) AS time, accepted, rejected FROM (
          SELECT begun + step AS time,
            (sum(coalesce(accepted, 0)) OVER past / hours)::double precision AS accepted,
            (sum(coalesce(rejected, 0)) OVER past / hours)::double precision AS rejected
          FROM moments LEFT JOIN buckets USING (begun),
            LATERAL (SELECT greatest(1, extract(epoch FROM step) / 3600) AS hours) AS width
          WINDOW past AS (
            ORDER BY begun RANGE BETWEEN interval '3599 seconds' PRECEDING AND CURRENT ROW)
        ) AS rolling
        WHERE time > $__timeFrom()::timestamptz ORDER BY time
        """,
        form="time_series",
    )
    colours = [
        override(name, color={"mode": "fixed", "fixedColor": colour})
        for name, colour in (("accepted", "green"), ("rejected", "orange"))
    ]
    return lines(
        head,
        query,
        min=0,
        decimals=0,
        overrides=colours,
        custom={
            "fillOpacity": 30,
            "showPoints": "never",
            "stacking": {"mode": "normal", "group": "A"},
        },
    )


def tokens_per_second() -> Json:
    """Return the speed of each node."""
    head = Head(
        9,
        "Tokens per second",
        "Completion tokens written by each node, averaged over two minutes or more. "
        'Source: Prometheus, rate of fleet_llm_tokens_total{kind="completion"}.',
        "suffix:tok/s",
        "no tokens to show",
    )
    expr = 'sum by (node) (rate(fleet_llm_tokens_total{kind="completion"}[$__rate_interval]))'
    query = series(expr, "{{node}}", step=RATE_STEP)
    node = links.to_node_of_series()
    return lines(head, query, legend="right", min=0, decimals=1, links=node)
