"""Panels about the control API: does it answer, how fast, to whom, and is its log whole."""

from __future__ import annotations

from fleet_dashboards.datasources import Json, instant, series, sql
from fleet_dashboards.looks import OUTCOMES
from fleet_dashboards.panels import COLOURED, Head, lines, override, stat, table, thresholds

NO_ANSWER = "the control API is not scraped"


def requests() -> Json:
    """Return how many requests it answers, by status."""
    head = Head(
        350,
        "Requests",
        "Requests that the control API answered a second, by HTTP status: 4xx are refused, 5xx are "
        "faults of its own. Source: Prometheus, rate of fleet_control_api_requests_total.",
        "reqps",
        NO_ANSWER,
    )
    expr = "sum by (status) (rate(fleet_control_api_requests_total[$__rate_interval]))"
    return lines(head, series(expr, "{{status}}"), legend="right", min=0)


def durations() -> Json:
    """Return how long it takes to answer."""
    head = Head(
        351,
        "Time to answer",
        "Time within which half and 95 % of the requests were answered; bounds of its buckets are "
        "5, 25, 100, 500 ms, 2.5 and 10 s. Source: Prometheus, histogram_quantile of "
        "fleet_control_api_request_duration_seconds.",
        "s",
        NO_ANSWER,
    )
    buckets = "fleet_control_api_request_duration_seconds_bucket"
    queries = [
        series(
            f"histogram_quantile({share}, sum by (le) (rate({buckets}[$__rate_interval])))",
            name,
            ref=ref,
        )
        for ref, share, name in (("A", "0.5", "half"), ("B", "0.95", "95 %"))
    ]
    return lines(head, *queries, min=0)


def attempts() -> Json:
    """Return what people tried to change, and how it ended."""
    head = Head(
        352,
        "Attempts to change something",
        "By action and outcome, in the last hour and day; refused: the role or the arguments did "
        "not suffice; failed: it could not be done. Who and why: Recent control actions of the "
        "overview. Source: analytics.audit.",
        "string",
        "nobody has tried to change anything in the last day",
    )
    query = sql("""
        SELECT action AS "Action", outcome AS "Outcome",
          count(*) FILTER (WHERE time > now() - interval '1 hour') AS "Last hour",
          count(*) AS "Last day"
        FROM analytics.audit WHERE time > now() - interval '1 day'
        GROUP BY action, outcome ORDER BY outcome = 'done', count(*) DESC, action
        """)
    overrides = [
        override("Outcome", mappings=OUTCOMES, custom__cellOptions=COLOURED, custom__width=90),
        override("Last hour", unit="locale", custom__width=95),
        override("Last day", unit="locale", custom__width=95),
    ]
    return table(head, query, overrides=overrides)


def audit_head() -> Json:
    """Return the head of the audit log, which stands for all of its rows."""
    head = Head(
        353,
        "Audit log and logins",
        "Rows of the audit log; its head, the first 12 hexadecimal digits of the hash of the last "
        "row, as of the last minute (fleet audit verify --head takes it in lower case); requests "
        "without valid credentials in the last hour. Source: Prometheus, fleet_audit_rows, "
        "fleet_audit_head and increase of fleet_control_api_unauthenticated_total.",
        "locale",
        NO_ANSWER,
    )
    unknown = "sum(increase(fleet_control_api_unauthenticated_total[1h]))"
    queries = [
        instant("max(fleet_audit_rows)", "rows", ref="A"),
        instant("max(fleet_audit_head)", "head", ref="B"),
        instant(unknown, "without credentials", ref="C"),
    ]
    overrides = [
        override("head", unit="hex"),
        override("without credentials", thresholds=thresholds("text", (20, "orange"))),
    ]
    return stat(head, *queries, decimals=0, thresholds=thresholds("text"), overrides=overrides)
