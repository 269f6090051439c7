"""Panels about all jobs: which are open, which have ended, and when each was written."""

from __future__ import annotations

from fleet_dashboards import links, panels
from fleet_dashboards.actions import buttons_column, field
from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.looks import JOB_STATES, KEPT, OUTCOMES
from fleet_dashboards.panels import (
    COLOURED,
    GREY,
    HIDDEN,
    LONG,
    Head,
    absent,
    override,
    share_bar,
    table,
    thresholds,
    words,
)
from fleet_dashboards.topics.jobs import changes

# Of a row of analytics.jobs, for people: questions of buttons and lists to pick from say it.
NAME = (
    "format('%s %s of %s by %s (%s)', wanted, CASE counts WHEN 'accepted' THEN 'accepted' "
    "ELSE 'conversations' END, scenario, requested_by, left(job_id::text, 8))"
)
JOB_ID, JOB_NAME = field("job_id"), field("job_name")
COUNT = {"unit": "locale", "custom__width": 78}
PROGRESS = share_bar("Progress", thresholds("green"))
STATE = override("State", mappings=JOB_STATES, custom__cellOptions=COLOURED, custom__width=85)


def open_jobs(number: int = 153) -> Json:
    """Return the jobs that have not ended, with their buttons."""
    head = Head(
        number,
        "Open jobs",
        "Jobs that have not ended, in the order in which they were ordered, so that a row keeps "
        "its place under an open question. Turn: 1 is served first; jobs of the same turn share "
        "the machines. Wanted: it ends when so many are written, or accepted. The end is "
        "estimated from the pace of the last hour: half of all forecasts are met by P50, nine in "
        "ten by P90. Source: analytics.jobs.",
        "string",
        "no job is open; Create job makes one",
    )
    # Their counts cost time: they are asked for those that are shown.
    query = sql(
        """
        SELECT scenario AS "Scenario", wanted || ' ' || counts AS "Wanted",
          requested_by AS "Ordered by", state AS "State", priority AS "Priority",
          dense_rank() OVER (ORDER BY priority DESC, rank) AS "Turn", progress_ratio AS "Progress",
          done AS "Accepted", rejected AS "Rejected", failed AS "Failed",
          eta_p50_at AS "End (P50)", eta_p90_at AS "End (P90)", '' AS "Change it",
          {name} AS job_name, job_id::text AS job_id
        FROM analytics.jobs WHERE job_id = ANY (ARRAY(
          SELECT job_id FROM analytics.jobs WHERE state IN ('pending', 'running', 'paused')
          ORDER BY created_at LIMIT 200))
        ORDER BY created_at, job_id
        """.replace("{name}", NAME)
    )
    end = {"unit": "dateTimeFromNow", "custom__width": 104, "mappings": absent("no forecast")}
    overrides = [
        override("Scenario", custom__width=120, links=links.to_job()),
        override("Wanted", custom__width=105),
        override("Ordered by", custom__width=80, custom__inspect=True),
        STATE,
        override("Priority", unit="locale", custom__width=68),
        override("Turn", unit="locale", custom__width=46),
        PROGRESS,
        *(override(name, **COUNT) for name in ("Accepted", "Rejected", "Failed")),
        override("End (P50)", **end),
        override("End (P90)", **end),
        buttons_column("Change it", 296, *changes.of_open_job(JOB_ID, JOB_NAME)),
        override("job_name", **HIDDEN),
        override("job_id", **HIDDEN),
    ]
    return table(head, query, overrides=overrides)


def ended_jobs(number: int = 158) -> Json:
    """Return the jobs that have ended, the last first."""
    head = Head(
        number,
        "Ended jobs",
        "The last 50 jobs that ended in the chosen time, newest first. Yield: accepted of judged; "
        "took: from the order to the end. Retry has given-up conversations tried again, "
        "and the job goes on. Source: analytics.jobs.",
        "string",
        "no job ended in this time",
    )
    query = sql(
        """
        SELECT scenario AS "Scenario", wanted || ' ' || counts AS "Wanted",
          requested_by AS "Ordered by", state AS "State", done AS "Accepted",
          rejected AS "Rejected", failed AS "Failed",
          done::double precision / nullif(done + rejected, 0) AS "Yield",
          finished_at AS "Ended", extract(epoch FROM finished_at - created_at)::bigint AS "Took",
          '' AS "Again", {name} AS job_name, job_id::text AS job_id
        FROM analytics.jobs WHERE job_id = ANY (ARRAY(
          SELECT job_id FROM analytics.jobs WHERE $__timeFilter(finished_at)
          ORDER BY finished_at DESC LIMIT 50))
        ORDER BY finished_at DESC, job_id
        """.replace("{name}", NAME)
    )
    overrides = [
        override("Scenario", custom__width=190, links=links.to_job()),
        override("Wanted", custom__width=125),
        override("Ordered by", custom__width=110, custom__inspect=True),
        STATE,
        *(override(name, **COUNT) for name in ("Accepted", "Rejected", "Failed")),
        share_bar("Yield", KEPT, mappings=absent("none judged")),
        override("Ended", unit="dateTimeFromNow", custom__width=120),
        override("Took", unit="s", custom__width=90),
        buttons_column("Again", 80, changes.retry(JOB_ID, JOB_NAME)),
        override("job_name", **HIDDEN),
        override("job_id", **HIDDEN),
    ]
    return table(head, query, overrides=overrides)


def audit(number: int = 161) -> Json:
    """Return who did what to jobs, also when it was refused."""
    head = Head(
        number,
        "Recent control actions",
        "The last 50 attempts to order or change jobs, newest first, refused ones with the reason "
        "of the refusal; all others stand on the Fleet overview. "
        "Source: analytics.audit and analytics.jobs.",
        "string",
        "nobody has ordered or changed a job",
    )
    query = sql("""
        WITH shown AS (
          SELECT *,
            CASE WHEN target ~ '^job [0-9a-f-]{36}$' THEN substr(target, 5)::uuid END AS job_id
          FROM analytics.audit WHERE action LIKE 'jobs.%' ORDER BY audit_id DESC LIMIT 50
        )
        SELECT time AS "When", concat_ws(' as ', nullif(actor, ''), nullif(role, '')) AS "Who",
          action AS "What", coalesce(wanted || ' of ' || scenario, target) AS "To what",
          outcome AS "Outcome", reason AS "Why", job_id::text AS job_id
        FROM shown LEFT JOIN analytics.jobs USING (job_id) ORDER BY audit_id DESC
        """)
    overrides = [
        override("When", unit="dateTimeFromNow", custom__width=135),
        override("Who", custom__width=150, custom__inspect=True),
        override("What", custom__width=100),
        override("To what", custom__width=160, custom__inspect=True, links=links.to_job()),
        override("Outcome", mappings=OUTCOMES, custom__cellOptions=COLOURED, custom__width=80),
        override("Why", **LONG),
        override("job_id", **HIDDEN),
    ]
    return table(head, query, overrides=overrides)


# States of a job over time as numbers, which a time series needs; each is shown as its word.
TIMELINE_STATES = {
    1: ("waiting", "blue"),
    2: ("running", "green"),
    3: ("paused", "orange"),
    4: ("done", GREY),
    5: ("failed", "red"),
    6: ("cancelled", "#5a5a5a"),
}


def timeline(number: int = 159) -> Json:
    """Return when each of the latest jobs waited, was written, was held, and how it ended."""
    head = Head(
        number,
        "Jobs over time",
        "The 15 latest jobs that were open in the chosen time: waiting until the first "
        "conversation was begun, then running; paused and resumed as people did; then how it "
        "ended. Source: analytics.jobs, analytics.tasks and analytics.events.",
        "none",
        "no job was open in this time",
    )
    query = sql(
        """
        WITH shown AS (
          SELECT job_id, format('%s %s, %s (%s)', wanted, scenario, requested_by,
            left(job_id::text, 4)) AS name, state, created_at, finished_at FROM analytics.jobs
          WHERE created_at <= $__timeTo()::timestamptz
            AND (finished_at IS NULL OR finished_at >= $__timeFrom()::timestamptz)
          ORDER BY created_at DESC LIMIT 15
        ), steps AS (
          SELECT job_id, created_at AS time, 1 AS step FROM shown
          UNION ALL SELECT s.job_id, t.started_at, 2 FROM shown s, LATERAL (
            SELECT started_at FROM analytics.tasks WHERE job_id = s.job_id
              AND started_at IS NOT NULL ORDER BY position LIMIT 1) t
          UNION ALL SELECT s.job_id, e.time, CASE e.kind WHEN 'job_paused' THEN 3 ELSE 2 END
          FROM shown s JOIN analytics.events e ON e.kind IN ('job_paused', 'job_resumed')
            AND e.time >= s.created_at AND starts_with(e.message, 'Job ' || s.job_id)
          UNION ALL SELECT job_id, finished_at,
            CASE state WHEN 'done' THEN 4 WHEN 'failed' THEN 5 ELSE 6 END
          FROM shown WHERE finished_at IS NOT NULL
        )
        SELECT greatest(p.time, $__timeFrom()::timestamptz) AS time, s.name AS metric,
          (array_agg(p.step ORDER BY p.time DESC, p.step DESC))[1] AS value
        FROM steps p JOIN shown s USING (job_id)
        WHERE p.time <= $__timeTo()::timestamptz GROUP BY 1, s.name ORDER BY 1, s.name
        """,
        form="time_series",
    )
    looks = words(**{str(step): look for step, look in TIMELINE_STATES.items()})
    return panels.timeline(
        head,
        query,
        mappings=looks + absent("not open"),
        color={"mode": "fixed", "fixedColor": GREY},  # by thresholds, it would show these as words
        custom={"spanNulls": True},
    )
