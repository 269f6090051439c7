"""Panels about what became of one job: yield and cost, what failed, its conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards import links
from fleet_dashboards.looks import KEPT, VERDICTS
from fleet_dashboards.panels import (
    COLOURED,
    GAUGE,
    HIDDEN,
    LONG,
    Head,
    absent,
    override,
    stat,
    table,
    thresholds,
)
from fleet_dashboards.topics.jobs.detail import NO_JOB, of_job

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json


def yields() -> Json:
    """Return how much of it was kept, and what an accepted conversation of it cost."""
    head = Head(
        204,
        "Yield and cost",
        "Accepted of judged; completion tokens and seconds of the calls for all judged "
        "conversations of the job, for each accepted one; turns that a check refused while they "
        "were written, for each judged one. Source: analytics.conversations.",
        "locale",
        NO_JOB,
    )
    query = of_job("""
        SELECT count(*) FILTER (WHERE state = 'accepted')::double precision / nullif(count(*), 0)
            AS "accepted of judged",
          sum(completion_tokens)::double precision
            / nullif(count(*) FILTER (WHERE state = 'accepted'), 0) AS "tokens each",
          sum(generation_seconds) / nullif(count(*) FILTER (WHERE state = 'accepted'), 0)
            AS "time each",
          avg(tries)::double precision AS "refused turns each"
        FROM analytics.conversations WHERE job_id = {this}
        """)
    overrides = [
        override(
            "accepted of judged",
            unit="percentunit",
            thresholds=KEPT,
        ),
        override("time each", unit="s", decimals=1),
        override("refused turns each", decimals=1),
    ]
    return stat(
        head,
        query,
        decimals=0,
        thresholds=thresholds("text"),
        mappings=absent("none yet"),
        overrides=overrides,
    )


def failures() -> Json:
    """Return what went wrong with writing it."""
    head = Head(
        207,
        "Failed attempts",
        "Attempts at a conversation of this job that failed, by what went wrong and where, with "
        "the last message. Source: analytics.task_failures.",
        "string",
        "no attempt at it failed",
    )
    query = of_job("""
        SELECT kind AS "What", node AS "Node", count(*) AS "Times", max(time) AS "Last",
          (array_agg(message ORDER BY time DESC))[1] AS "Last message"
        FROM analytics.task_failures WHERE job_id = {this}
        GROUP BY kind, node ORDER BY count(*) DESC, kind, node LIMIT 50
        """)
    overrides = [
        override("What", custom__width=130, custom__inspect=True),
        override("Node", custom__width=110, links=links.to_node()),
        override("Times", unit="locale", custom__width=70),
        override("Last", unit="dateTimeFromNow", custom__width=135),
        override("Last message", **LONG),
    ]
    return table(head, query, overrides=overrides)


def rejections() -> Json:
    """Return why conversations of it were rejected, with the evidence of the last."""
    head = Head(
        208,
        "Rejections by reason",
        "Rejected conversations of the job by reason, with the evidence of the last one. "
        "Source: analytics.rejections and analytics.conversations.",
        "string",
        "nothing of it was rejected",
    )
    query = of_job("""
        SELECT r.reason AS "Reason", r.stage AS "Stage", count(*) AS "Times",
          (array_agg(r.evidence ORDER BY r.created_at DESC))[1] AS "Last evidence"
        FROM analytics.conversations c JOIN analytics.rejections r USING (conversation_id)
        WHERE c.job_id = {this} AND c.state = 'rejected'
        GROUP BY r.reason, r.stage ORDER BY count(*) DESC, r.reason
        """)
    overrides = [
        override("Reason", custom__width=150, custom__inspect=True),
        override("Stage", custom__width=90),
        override(
            "Times",
            unit="locale",
            min=0,
            custom__width=130,
            custom__cellOptions=GAUGE,
            thresholds=thresholds("orange"),
        ),
        override("Last evidence", **LONG),
    ]
    return table(head, query, overrides=overrides)


def scenarios() -> Json:
    """Return the share of each scenario, asked and written."""
    head = Head(
        209,
        "Scenarios of the job",
        "Share of each scenario that was asked for, its share of what is judged so far, and how "
        "many were judged and accepted. Source: analytics.jobs, mix, and analytics.conversations.",
        "string",
        NO_JOB,
    )
    query = of_job("""
        WITH asked AS (
          SELECT m.key AS scenario, m.value::double precision AS weight
          FROM analytics.jobs j, jsonb_each_text(j.mix) m WHERE j.job_id = {this}
        ), written AS (
          SELECT scenario, count(*) AS judged, count(*) FILTER (WHERE state = 'accepted') AS kept
          FROM analytics.conversations WHERE job_id = {this} GROUP BY scenario
        )
        SELECT a.scenario AS "Scenario", a.weight / sum(a.weight) OVER () AS "Asked",
          w.judged / sum(w.judged) OVER ()::double precision AS "Share",
          coalesce(w.judged, 0) AS "Judged", coalesce(w.kept, 0) AS "Accepted"
        FROM asked a LEFT JOIN written w USING (scenario) ORDER BY a.weight DESC, a.scenario
        """)
    share = {"unit": "percentunit", "decimals": 0, "custom__width": 70}
    overrides = [
        override("Asked", **share),
        override("Share", **share, mappings=absent("none yet")),
        override("Judged", unit="locale", custom__width=70),
        override("Accepted", unit="locale", custom__width=80),
    ]
    return table(head, query, overrides=overrides)


def conversations() -> Json:
    """Return its newest conversations, each a link."""
    head = Head(
        210,
        "Its conversations",
        "The 200 newest judged conversations of the job; the scenario opens one. "
        "Source: analytics.conversations and analytics.rejections.",
        "string",
        "nothing is judged yet",
    )
    query = of_job("""
        SELECT c.created_at AS "Written", c.scenario AS "Scenario", c.state AS "Verdict",
          r.reason AS "Reason", c.node AS "Node", c.model AS "Model", c.turns AS "Turns",
          c.tries AS "Refused turns", c.completion_tokens AS "Tokens",
          c.generation_seconds AS "Time", c.realness AS "Realness",
          c.conversation_id::text AS conversation_id
        FROM (SELECT * FROM analytics.conversations WHERE job_id = {this}
              ORDER BY created_at DESC LIMIT 200) c
        LEFT JOIN analytics.rejections r USING (conversation_id) ORDER BY c.created_at DESC
        """)
    overrides = [
        override("Written", unit="dateTimeFromNow", custom__width=140),
        override("Scenario", links=links.to_conversation()),
        override("Verdict", mappings=VERDICTS, custom__cellOptions=COLOURED, custom__width=95),
        override("Reason", custom__inspect=True),
        override("Node", custom__width=130, links=links.to_node()),
        override("Model", custom__inspect=True),
        override("Turns", unit="locale", custom__width=70),
        override("Refused turns", unit="locale", custom__width=115),
        override("Tokens", unit="locale", custom__width=85),
        override("Time", unit="s", decimals=1, custom__width=85),
        override("Realness", decimals=1, custom__width=90, mappings=absent("no judge")),
        override("conversation_id", **HIDDEN),
    ]
    return table(head, query, overrides=overrides)
