"""Panels about one job, that of the variable `job`: how far it is, who writes it, who ordered."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.actions import Box, elements_in_line, label
from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.looks import JOB_STATES, OUTCOMES
from fleet_dashboards.panels import (
    COLOURED,
    LONG,
    Head,
    absent,
    canvas,
    lines,
    override,
    stat,
    table,
    thresholds,
    tile,
)
from fleet_dashboards.topics.jobs import changes, listing
from fleet_dashboards.variables import id_in, picked

NO_JOB = "no such job: pick one at the top"


def variable() -> Json:
    """Return the list of jobs, open ones first."""
    return picked(
        "job",
        "Job",
        """
        SELECT job_id::text AS __value, {name} AS __text FROM analytics.jobs
        ORDER BY finished_at DESC NULLS FIRST, state = 'running' DESC, created_at DESC LIMIT 500
        """.replace("{name}", listing.NAME),
        once=True,
    )


def of_job(text: str, *, form: str = "table") -> Json:
    """Return a query in which `{this}` is the job of the variable, and `{name}` its name."""
    return sql(text.replace("{this}", id_in("job")).replace("{name}", listing.NAME), form=form)


def state() -> Json:
    """Return the tile that says what the job does."""
    head = Head(
        200,
        "State",
        "pending: nothing is begun; running; paused by people; done; failed: nothing of it counts; "
        "cancelled by people. Source: analytics.jobs, state.",
        "string",
        NO_JOB,
    )
    return tile(
        head, of_job("SELECT state FROM analytics.jobs WHERE job_id = {this}"), "state", JOB_STATES
    )


def counts() -> Json:
    """Return how far the job is."""
    head = Head(
        201,
        "Conversations",
        "Progress: written of wanted, or accepted of wanted where the job counts those. To judge: "
        "written, without a verdict yet. Failed: given up. To write: probably still; none while "
        "it is paused or has ended. Source: analytics.jobs.",
        "locale",
        NO_JOB,
    )
    query = of_job("""
        SELECT progress_ratio AS progress, wanted, done AS accepted, rejected,
          failed, unjudged AS "to judge", remaining AS "to write"
        FROM analytics.jobs WHERE job_id = {this}
        """)
    overrides = [
        override("progress", unit="percentunit", decimals=0),
        override("failed", thresholds=thresholds("text", (1, "red"))),
        override("to write", mappings=absent("-")),
    ]
    return stat(head, query, decimals=0, thresholds=thresholds("text"), overrides=overrides)


def end() -> Json:
    """Return when the job ends, or ended."""
    head = Head(
        202,
        "End",
        "When it ends at the pace of the last hour: half of all forecasts are met by P50, nine in "
        "ten by P90; or when it ended. Before it: conversations of other jobs that are written "
        "first. Source: analytics.jobs.",
        "string",
        NO_JOB,
    )
    query = of_job("""
        SELECT finished_at AS ended, eta_p50_at AS "likely (P50)", eta_p90_at AS "9 of 10 (P90)",
          CASE WHEN finished_at IS NULL THEN queued_before END AS "before it"
        FROM analytics.jobs WHERE job_id = {this}
        """)
    when = {"unit": "dateTimeFromNow", "mappings": absent("no forecast")}
    overrides = [
        override("ended", unit="dateTimeFromNow", mappings=absent("still open")),
        override("likely (P50)", **when),
        override("9 of 10 (P90)", **when),
        override("before it", unit="locale", mappings=absent("-")),
    ]
    return stat(head, query, fields="/.*/", thresholds=thresholds("text"), overrides=overrides)


def buttons() -> Json:
    """Return what was ordered, with the buttons that change it."""
    head = Head(
        203,
        "The order, and what can be done with it",
        "What was ordered, by whom, and for which machines. Each button asks for a reason and for "
        "consent; they need the role Editor or Admin. Source: analytics.jobs.",
        "string",
        NO_JOB,
    )
    query = of_job("""
        SELECT {name} AS job_name,
          format('%s to %s turns, priority %s. It ends when %s are %s%s.', min_turns, max_turns,
            priority, wanted, counts,
            CASE counts WHEN 'accepted' THEN format(', or %s are written', tasks_max) ELSE '' END)
            AS "order",
          'Machines: ' || coalesce(nullif(concat_ws(', ', 'with model ' || model,
            'of class ' || node_class, 'with GPU memory from '
              || round(vram_bytes_min / 1073741824.0, 1) || ' GiB'), ''), 'any')
            || '. Seed ' || seed || '.' AS machines,
          'Ordered ' || to_char(created_at AT TIME ZONE 'UTC', 'FMDD Mon YYYY HH24:MI:SS')
            || ' UTC by ' || requested_by || '. Id ' || job_id AS since
        FROM analytics.jobs WHERE job_id = {this}
        """)
    elements = [
        *elements_in_line(changes.of_job("${job}", "${job:text}"), top=4, height=40),
        label("job_name", Box(top=50, left=8, width=700, height=28), size=16),
        *(
            label(name, Box(top=80 + 28 * place, left=8, width=700, height=26))
            for place, name in enumerate(("order", "machines", "since"))
        ),
    ]
    return canvas(head, query, elements=elements)


def tasks() -> Json:
    """Return who writes, and has written, how much of it."""
    head = Head(
        205,
        "Conversations by machine",
        "Tasks of the job (one conversation each) by the machine that had them last: given back "
        "and waiting, being written, written, given up, cancelled; and how often one was begun "
        "again. Source: analytics.tasks.",
        "string",
        "no machine has begun it",
    )
    query = of_job("""
        SELECT node AS "Node", count(*) FILTER (WHERE state = 'pending') AS "Waiting",
          count(*) FILTER (WHERE state IN ('claimed', 'running')) AS "Writing",
          count(*) FILTER (WHERE state = 'done') AS "Written",
          count(*) FILTER (WHERE state = 'failed') AS "Given up",
          count(*) FILTER (WHERE state = 'cancelled') AS "Cancelled",
          sum(greatest(attempt - 1, 0)) AS "Again"
        FROM analytics.tasks WHERE job_id = {this} AND node IS NOT NULL GROUP BY node ORDER BY node
        """)
    names = ("Waiting", "Writing", "Written", "Given up", "Cancelled", "Again")
    overrides = [
        override("Node", links=links.to_node()),
        *(override(name, unit="locale", custom__width=82) for name in names),
    ]
    return table(head, query, overrides=overrides)


def progress() -> Json:
    """Return how many were accepted and rejected by each moment."""
    head = Head(
        206,
        "Accepted and rejected, summed up",
        "Conversations of the job that had a verdict by each moment of the chosen time. "
        "Source: analytics.conversations, judged_at.",
        "locale",
        "nothing is judged yet",
    )
    query = of_job(
        """
        WITH steps AS (
          SELECT date_bin(make_interval(secs => greatest(5, $__interval_ms / 1000)), judged_at,
              'epoch') AS time,
            count(*) FILTER (WHERE state = 'accepted') AS accepted,
            count(*) FILTER (WHERE state = 'rejected') AS rejected
          FROM analytics.conversations WHERE job_id = {this} GROUP BY 1
        )
        SELECT time, accepted, rejected FROM (
          SELECT time, sum(accepted) OVER past AS accepted,
            sum(rejected) OVER past AS rejected
          FROM steps WINDOW past AS (ORDER BY time)) summed
        WHERE $__timeFilter(time) ORDER BY time
        """,
        form="time_series",
    )
    colours = [
        override(name, color={"mode": "fixed", "fixedColor": colour})
        for name, colour in (("accepted", "green"), ("rejected", "orange"))
    ]
    custom = {"lineInterpolation": "stepAfter", "fillOpacity": 10, "spanNulls": True}
    return lines(head, query, min=0, decimals=0, overrides=colours, custom=custom)


def audit() -> Json:
    """Return who did what to it, also when it was refused."""
    head = Head(
        211,
        "What people did with it",
        "Attempts to change this job, newest first, refused ones with the reason of the refusal. "
        "Source: analytics.audit, target.",
        "string",
        "nobody has changed it by the control API",
    )
    query = of_job("""
        SELECT time AS "When", concat_ws(' as ', nullif(actor, ''), nullif(role, '')) AS "Who",
          action AS "What", outcome AS "Outcome", reason AS "Why"
        FROM analytics.audit WHERE target = 'job ' || {this} ORDER BY audit_id DESC LIMIT 50
        """)
    overrides = [
        override("When", unit="dateTimeFromNow", custom__width=135),
        override("Who", custom__width=155, custom__inspect=True),
        override("What", custom__width=110),
        override("Outcome", mappings=OUTCOMES, custom__cellOptions=COLOURED, custom__width=80),
        override("Why", **LONG),
    ]
    return table(head, query, overrides=overrides)
