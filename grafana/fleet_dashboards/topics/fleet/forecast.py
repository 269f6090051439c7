"""Panels about time: what is left to write, when it will be done, and how fast it goes now."""

from __future__ import annotations

from typing import Any

from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.panels import Head, absent, override, stat, thresholds

NO_ANSWER = "unknown: the database does not answer"


def end(number: int = 31, **looks: Any) -> Json:
    """Return when all open work will be done, at P50 and P90, or why nobody can say."""
    head = Head(
        number,
        "All open work",
        "Conversations that are still to be written, and when the last open job ends at the pace "
        "of the last hour: half of all forecasts are met by P50, nine in ten by P90; paused jobs "
        "are left out. Source: analytics.jobs and analytics.fleet_state.",
        "string",
        NO_ANSWER,
    )
    query = sql("""
        WITH open AS (
          SELECT * FROM analytics.jobs WHERE state IN ('pending', 'running') AND finished_at IS NULL
        ), due AS (
          SELECT sum(remaining) AS remaining, count(*) AS jobs,
            bool_and(eta_p50_at IS NOT NULL) FILTER (WHERE remaining > 0) AS is_known,
            max(eta_p50_at) AS p50, max(eta_p90_at) AS p90 FROM open
        )
        SELECT CASE WHEN jobs = 0 THEN 0 ELSE remaining END::bigint AS "to write",
          CASE WHEN is_known THEN p50 END AS "likely (P50)",
          CASE WHEN is_known THEN p90 END AS "9 of 10 (P90)",
          CASE WHEN (SELECT state FROM analytics.fleet_state) <> 'running' THEN 'fleet is paused'
            WHEN jobs = 0 THEN 'no open job' WHEN is_known THEN 'known'
            WHEN remaining = 0 THEN 'judging only' ELSE 'no pace yet' END AS forecast
        FROM due
        """)
    when = {"unit": "dateTimeFromNow", "mappings": absent("no forecast")}
    overrides = [
        override("to write", unit="locale", mappings=absent("-")),
        override("likely (P50)", **when),
        override("9 of 10 (P90)", **when),
    ]
    looks |= {"fields": "/.*/", "thresholds": thresholds("text")}
    return stat(head, query, overrides=overrides, **looks)


def pace(number: int = 32) -> Json:
    """Return how fast the fleet writes now."""
    head = Head(
        number,
        "Pace now",
        "Conversations accepted and judged in the last 60 minutes, and completion tokens a second "
        "over the last 5 minutes. Source: analytics.conversations and analytics.llm_requests.",
        "locale",
        NO_ANSWER,
    )
    query = sql("""
        SELECT accepted, judged, tokens FROM (
          SELECT count(*) FILTER (WHERE state = 'accepted') AS accepted, count(*) AS judged
          FROM analytics.conversations WHERE created_at > now() - interval '1 hour') c,
        (SELECT sum(completion_tokens)::double precision / 300 AS tokens
         FROM analytics.llm_requests WHERE time > now() - interval '5 minutes') r
        """)
    overrides = [
        override("accepted", unit="suffix:/h"),
        override("judged", unit="suffix:/h"),
        override("tokens", unit="suffix:tok/s", decimals=1, mappings=absent("no call")),
    ]
    return stat(head, query, decimals=0, thresholds=thresholds("text"), overrides=overrides)
