"""Panels with which jobs are ordered, one by a form, and with which many are changed at once."""

from __future__ import annotations

from fleet_dashboards.actions import (
    Box,
    Button,
    buttons_column,
    element,
    elements_in_line,
    field,
    label,
)
from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.looks import KEPT
from fleet_dashboards.panels import (
    HIDDEN,
    Head,
    absent,
    canvas,
    override,
    share_bar,
    table,
)
from fleet_dashboards.topics.jobs import changes, listing
from fleet_dashboards.variables import chosen, picked, typed

FORM = ("scenario", "count", "counts", "min_turns", "max_turns", "priority")
CONSTRAINTS = ("model", "node_class", "vram_bytes_min")
CREATE = Button(
    verb="job-submit",
    label="Create job",
    question="Order ${count} conversations of ${scenario}, counting those ${counts}, of "
    "${min_turns} to ${max_turns} turns, with priority ${priority}? Machines: model ${model}, "
    "class ${node_class}, GPU memory ${vram_bytes_min:text}.",
    variant="success",
    arguments=[(name, f"${{{name}}}") for name in FORM + CONSTRAINTS],
    prompts=(),
)
QUICK = Button(
    verb="job-submit",
    label="Write 20",
    question=f"Order 20 conversations of {field('Scenario')}, of 6 to 8 turns, with priority 5?",
    variant="success",
    arguments=[("scenario", field("scenario")), ("count", "20")],
    prompts=(),
)


def form() -> list[Json]:
    """Return the variables of the order that "Create job" sends, and the jobs to change."""
    return [
        picked(
            "scenario",
            "New job: scenario",
            """
            SELECT scenario AS __value, title AS __text FROM (
              SELECT 'mixed' AS scenario, 'Mixed: all, by weight' AS title, 0 AS place
              UNION ALL SELECT scenario, title, 1 FROM analytics.scenarios) s
            ORDER BY place, title
            """,
        ),
        typed("count", "Conversations", "20"),
        chosen("counts", "Count those", ["written", "accepted"]),
        typed("min_turns", "Turns, at least", "6"),
        typed("max_turns", "Turns, at most", "8"),
        chosen("priority", "Priority", ["5", *(str(number) for number in range(10, -1, -1))]),
        picked(
            "model",
            "Only with model",
            """
            SELECT model FROM (SELECT 'any' AS model, 0 AS place UNION
              SELECT model, 1 FROM analytics.nodes WHERE model IS NOT NULL) m ORDER BY place, model
            """,
        ),
        picked(
            "node_class",
            "Only machines of class",
            """
            SELECT node_class FROM (SELECT 'any' AS node_class, 0 AS place UNION
              SELECT node_class, 1 FROM analytics.nodes) c ORDER BY place, node_class
            """,
        ),
        chosen(
            "vram_bytes_min",
            "GPU memory, at least",
            {"any": "any"} | {f"{size} GiB": str(size << 30) for size in (4, 8, 12, 16, 24, 48)},
        ),
        picked(
            "jobs",
            "Jobs to change",
            """
            SELECT 'none' AS __value, 'none' AS __text
            UNION ALL (SELECT job_id::text, {name} FROM analytics.jobs
              WHERE state IN ('pending', 'running', 'paused')
                OR (state IN ('done', 'failed') AND finished_at > now() - interval '1 day')
              ORDER BY finished_at DESC NULLS FIRST, created_at DESC LIMIT 500)
            """.replace("{name}", listing.NAME),
            several=True,
        ),
    ]


def create(number: int = 155) -> Json:
    """Return the button that orders what the fields at the top of the page say."""
    head = Head(
        number,
        "Create a job",
        "Orders what stands in the fields at the top of the page, after a question that repeats "
        "it. Mixed draws scenarios by their weights. Count those: the job ends when so many are "
        "written, or when so many are accepted (at most three times as many are written). The "
        "time is a rough one, at the pace of the last hour with nothing before it. It needs the "
        "role Editor or Admin. Source: analytics.conversations, analytics.fleet_now.",
        "string",
    )
    query = sql("""
        SELECT format('%s of %s, %s to %s turns, priority %s, counting those %s.',
            ${count:sqlstring}, ${scenario:sqlstring}, ${min_turns:sqlstring},
            ${max_turns:sqlstring}, ${priority:sqlstring}, ${counts:sqlstring}) AS "order",
          format('Machines: model %s, class %s, GPU memory %s.', ${model:sqlstring},
            ${node_class:sqlstring}, coalesce(
              'from ' || (nullif(${vram_bytes_min:sqlstring}, 'any')::bigint >> 30) || ' GiB',
              'any')) AS machines,
          CASE WHEN ${count:sqlstring} !~ '^ *[0-9]{1,7} *$'
            THEN 'Conversations must be a whole number: see the top of the page.'
            WHEN pace.judged < 3 THEN 'Nothing was written in the last hour: no forecast.'
            ELSE format('About %s minutes if it were written alone; %s wait before it.',
              ceil(substring(${count:sqlstring} FROM '[0-9]{1,7}')::numeric * 60 / pace.judged),
              (SELECT conversations_waiting FROM analytics.fleet_now)) END AS forecast
        FROM (SELECT count(*) AS judged FROM analytics.conversations
              WHERE created_at > now() - interval '1 hour') pace
        """)
    elements = [
        element(CREATE, Box(top=4, left=8, width=160, height=44)),
        label("order", Box(top=56, left=8, width=340, height=48)),
        label("machines", Box(top=106, left=8, width=340, height=48)),
        label("forecast", Box(top=156, left=8, width=340, height=48)),
    ]
    return canvas(head, query, elements=elements)


def change_picked(number: int = 157) -> Json:
    """Return the buttons that act on all jobs that are picked at the top of the page."""
    head = Head(
        number,
        "Change many jobs at once",
        "Each button acts on all jobs picked in Jobs to change at the top of the page, 100 at "
        "most; those that do not allow it are left out. Every job has a row in Recent control "
        "actions. They need the role Editor or Admin. Source: analytics.jobs.",
        "string",
    )
    query = sql(
        """
        SELECT coalesce('Picked: ' || string_agg({name}, '; ' ORDER BY created_at),
          'No job is picked: see Jobs to change at the top of the page.') AS picked
        FROM analytics.jobs
        WHERE job_id = ANY (array_remove(ARRAY[${jobs:sqlstring}]::text[], 'none')::uuid[])
        """.replace("{name}", listing.NAME)
    )
    elements = [
        *elements_in_line(changes.PICKED, top=4, height=40),
        *elements_in_line(changes.PICKED_ORDER, top=52, height=40),
        label("picked", Box(top=100, left=8, width=480, height=80)),
    ]
    return canvas(head, query, elements=elements)


def scenarios(number: int = 156) -> Json:
    """Return each scenario with its figures and a button that orders some of it."""
    head = Head(
        number,
        "Scenarios",
        "Each kind of call: its share in mixed jobs, conversations accepted and judged in the "
        "chosen time, how many were kept, and what one accepted cost: completion tokens and "
        "seconds of the calls for all judged ones. Write 20 orders at once, with default turns "
        "and priority. Source: analytics.scenarios and analytics.conversations.",
        "string",
        "no scenario to show",
    )
    query = sql("""
        WITH written AS (
          SELECT scenario, count(*) AS judged, count(*) FILTER (WHERE state = 'accepted') AS kept,
            sum(completion_tokens) AS tokens, sum(generation_seconds) AS seconds
          FROM analytics.conversations WHERE $__timeFilter(created_at) GROUP BY scenario
        )
        SELECT s.title AS "Scenario", s.asked_ratio AS "Share asked",
          coalesce(w.kept, 0) AS "Accepted", coalesce(w.judged, 0) AS "Judged",
          w.kept::double precision / w.judged AS "Yield",
          w.tokens::double precision / nullif(w.kept, 0) AS "Tokens each",
          w.seconds / nullif(w.kept, 0) AS "Time each", '' AS "Order", s.scenario AS scenario
        FROM analytics.scenarios s LEFT JOIN written w USING (scenario) ORDER BY s.title
        """)
    none = absent("none kept")
    overrides = [
        override("Scenario", custom__width=210),
        override("Share asked", unit="percentunit", decimals=0, custom__width=95),
        override("Accepted", unit="locale", custom__width=85),
        override("Judged", unit="locale", custom__width=75),
        share_bar("Yield", KEPT, mappings=absent("none judged")),
        override("Tokens each", unit="locale", decimals=0, custom__width=100, mappings=none),
        override("Time each", unit="s", decimals=1, custom__width=95, mappings=none),
        buttons_column("Order", 95, QUICK),
        override("scenario", **HIDDEN),
    ]
    return table(head, query, overrides=overrides)
