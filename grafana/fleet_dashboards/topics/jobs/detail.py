"""Panels about one job, that of the variable `job`: how far it is, who writes it, what fails."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.actions import Box, elements_in_line, label
from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.looks import JOB_STATES, KEPT, OUTCOMES, VERDICTS
from fleet_dashboards.panels import (
    COLOURED,
    GAUGE,
    HIDDEN,
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


def _of_job(text: str, *, form: str = "table") -> Json:
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
        head, _of_job("SELECT state FROM analytics.jobs WHERE job_id = {this}"), "state", JOB_STATES
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
    query = _of_job("""
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
    query = _of_job("""
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
    query = _of_job("""
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
    query = _of_job("""
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
    query = _of_job("""
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
    query = _of_job(
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
    query = _of_job("""
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
    query = _of_job("""
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
    query = _of_job("""
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
    query = _of_job("""
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
    query = _of_job("""
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
