"""
The panels that are laid out for a phone: one column of 390 pixels, for a thumb.

Tables have three columns at most, buttons are as high as a thumb is wide (44 pixels or more).
"""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.actions import Box, element, label
from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.looks import JOB_STATES, NODE_STATES, SEVERITIES
from fleet_dashboards.panels import (
    COLOURED,
    FILLED,
    HIDDEN,
    LONG,
    Head,
    canvas,
    override,
    share_bar,
    table,
    thresholds,
)
from fleet_dashboards.topics.fleet.standing import TROUBLES
from fleet_dashboards.topics.fleet.steering import EXPLANATION, PAUSE, RESUME, STOP
from fleet_dashboards.topics.fleet.work import QUEUE_ORDER

LEFT, WIDTH = 10, 336  # pixels of the 356 that the page leaves a canvas of 390
NO_ANSWER = "unknown: the database does not answer"


def buttons() -> Json:
    """Return the buttons below each other, the emergency stop first."""
    head = Head(
        361,
        "Stop, pause, resume",
        "Three taps stop the fleet: the button, Continue (after reason and STOP), Confirm. "
        "They need the role Editor or Admin. Source: analytics.fleet_now.",
        "string",
    )
    half = (WIDTH - 10) // 2
    elements = [
        element(STOP, Box(top=2, left=LEFT, width=WIDTH, height=64)),
        element(PAUSE, Box(top=78, left=LEFT, width=half, height=52)),
        element(RESUME, Box(top=78, left=LEFT + 10 + half, width=half, height=52)),
        label("explanation", Box(top=138, left=LEFT, width=WIDTH, height=66)),
        label("since", Box(top=206, left=LEFT, width=WIDTH, height=50)),
    ]
    return canvas(head, sql(EXPLANATION), elements=elements)


def troubles() -> Json:
    """Return what is wrong with which machine, without the time."""
    head = Head(
        364,
        "Machines that need a look",
        "Each machine that is not off on purpose and is missing, hot (above 80 °C), slowed down, "
        "without a working model server, told to stop, or played on; the worst first. "
        "Source: analytics.nodes and analytics.endpoints.",
        "string",
        NO_ANSWER,
    )
    overrides = [
        override("Severity", mappings=SEVERITIES, custom__cellOptions=COLOURED, custom__width=72),
        override("Node", custom__width=100, links=links.to_node()),
        override("Trouble", **LONG),
        override("Since", **HIDDEN),
    ]
    return table(head, sql(TROUBLES), lines_max=4, overrides=overrides)


def progress() -> Json:
    """Return the open jobs with how far they are and when they likely end."""
    head = Head(
        367,
        "Open jobs",
        "Open jobs in queue order, ten at most: what is written, how far it is, and when it ends "
        "in half of all cases (P50). Source: analytics.jobs.",
        "string",
        "no open job",
    )
    query = sql(
        """
        SELECT wanted || ' x ' || scenario AS "Job", progress_ratio AS "Progress", state AS "State",
          eta_p50_at AS "End", job_id::text AS job_id
        FROM analytics.jobs WHERE finished_at IS NULL ORDER BY {order} LIMIT 10
        """.replace("{order}", QUEUE_ORDER)
    )
    overrides = [
        override("Job", links=links.to_job(), custom__wrapText=True),
        override("State", mappings=JOB_STATES, custom__cellOptions=COLOURED, **HIDDEN),
        share_bar("Progress", thresholds("green"), custom__width=100),
        override("End", unit="dateTimeFromNow", custom__width=105),
        override("job_id", **HIDDEN),
    ]
    return table(head, query, overrides=overrides)


def nodes() -> Json:
    """Return all machines, those with problems first."""
    head = Head(
        369,
        "All machines",
        "Every enrolled machine, missing ones first, then by name, with the tokens a second of the "
        "last minute. Source: analytics.nodes.",
        "string",
        NO_ANSWER,
    )
    query = sql("""
        SELECT node AS "Node", CASE WHEN is_expected OR state = 'online' THEN state ELSE 'off' END
            AS "State", tokens_per_second AS "Tokens/s"
        FROM analytics.nodes
        ORDER BY state = 'online', NOT is_expected, state = 'stale', node
        """)
    overrides = [
        override("Node", links=links.to_node()),
        override("State", mappings=NODE_STATES, custom__cellOptions=FILLED, custom__width=120),
        override("Tokens/s", unit="none", decimals=1, custom__width=80),
    ]
    return table(head, query, overrides=overrides)


def audit() -> Json:
    """Return the last attempts to change something."""
    head = Head(
        370,
        "Recent control actions",
        "The last 20 attempts to change something, newest first: how it ended, who, what and why; "
        "alerts that Alertmanager delivered are left out. Source: analytics.audit.",
        "string",
        "nobody has changed anything yet",
    )
    query = sql(r"""
        SELECT time AS "When",
          concat_ws(': ', outcome, nullif(actor, ''), concat_ws(', ', action || ' '
            || regexp_replace(target, '([0-9a-f]{8})-[0-9a-f-]{27}', '\1', 'g'),
            nullif(reason, ''))) AS "Outcome, who, what, why"
        FROM analytics.audit WHERE action <> 'alerts.deliver' OR outcome <> 'done'
        ORDER BY audit_id DESC LIMIT 20
        """)
    overrides = [
        override("When", unit="dateTimeFromNow", custom__width=118),
        override("Outcome, who, what, why", **LONG),
    ]
    return table(head, query, lines_max=4, overrides=overrides)
