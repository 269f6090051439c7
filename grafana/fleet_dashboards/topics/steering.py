"""Panels about control: state, buttons, what fires, what happened, and who did what."""

from __future__ import annotations

from fleet_dashboards.actions import Box, Button, element, label
from fleet_dashboards.datasources import Json, instant, sql
from fleet_dashboards.looks import FLEET_STATES, OUTCOMES, SEVERITIES
from fleet_dashboards.panels import (
    COLOURED,
    Head,
    absent,
    canvas,
    columns,
    override,
    sorted_by,
    stat,
    table,
    thresholds,
)

PAUSE = Button(
    verb="fleet-pause",
    label="Pause",
    question="Pause the whole fleet? Each node finishes the conversation it is writing and starts "
    "no other. Nothing is lost.",
    variant="destructive",
)
RESUME = Button(
    verb="fleet-resume",
    label="Resume",
    question="Resume the whole fleet? Every node starts to write conversations again at once.",
    variant="success",
)


def state() -> Json:
    """Return the tile that says whether the fleet is running or paused."""
    head = Head(
        1,
        "Fleet",
        "Whether nodes may start conversations. Source: analytics.fleet_state.",
        "string",
        "unknown",
    )
    query = sql("SELECT state FROM analytics.fleet_state")
    return stat(
        head,
        query,
        fields="/^state$/",
        color="background",
        mappings=FLEET_STATES,
        thresholds=thresholds("#5a5a5a"),
    )


def buttons() -> Json:
    """Return the two buttons beside the last change; Viewers see them, but cannot use them."""
    head = Head(
        2,
        "Pause and resume",
        "Both buttons ask for a reason and for consent; they need the role Editor or Admin. "
        "The result shows in the tile beside and in Recent control actions within 5 seconds. "
        "Source: analytics.fleet_state.",
        "string",
    )
    query = sql("""
        SELECT 'Since ' || to_char(changed_at AT TIME ZONE 'UTC', 'FMDD Mon HH24:MI:SS')
            || ' UTC, by ' || changed_by AS since,
          'Reason: ' || left(reason, 80) AS reason
        FROM analytics.fleet_state
        """)
    elements = [
        element(PAUSE, Box(top=4, left=8, width=130, height=40)),
        element(RESUME, Box(top=4, left=150, width=130, height=40)),
        label("since", Box(top=50, left=8, width=440, height=26)),
        label("reason", Box(top=76, left=8, width=440, height=26)),
    ]
    return canvas(head, query, elements=elements)


def alerts() -> Json:
    """Return the alerts that fire now, the gravest first."""
    head = Head(
        6,
        "Firing alerts",
        "What needs a look now. Source: Prometheus, ALERTS{alertstate='firing'}; the age is that "
        "of ALERTS_FOR_STATE.",
        "string",
        "no answer from Prometheus",
    )
    # The second half makes a row of its own, so that silence of Prometheus never reads as calm.
    expr = """
        max by (alertname, severity, node) (
          time() - ALERTS_FOR_STATE and ignoring (alertstate) ALERTS{alertstate="firing"}
          or label_replace(label_replace(
            vector(NaN) unless on () ALERTS{alertstate="firing"},
            "alertname", "nothing fires", "", ""), "severity", "none", "", ""))
        """
    changes = [
        columns(severity="Severity", alertname="Alert", node="Node", Value="Active for"),
        sorted_by("Severity"),
    ]
    overrides = [
        override(
            "Severity",
            mappings=SEVERITIES,
            custom__cellOptions=COLOURED,
            custom__width=90,
        ),
        override("Active for", unit="s", decimals=0, custom__width=90, mappings=absent("-")),
    ]
    query = instant(expr, form="table")
    return table(head, query, transformations=changes, overrides=overrides)


def events() -> Json:
    """Return what happened in the time range, so that nobody has to read logs to know."""
    head = Head(
        18,
        "What happened",
        "The last 50 events of the time range, newest first: programs that started or ended, lost "
        "connections, tasks that were taken back, changes of the leader and of the fleet's state. "
        "An event may be told late, but stands where it happened. Source: analytics.events.",
        "string",
        "nothing happened in this time",
    )
    query = sql("""
        SELECT time AS "When", severity AS "Severity", node AS "Node", message AS "What"
        FROM analytics.events WHERE $__timeFilter(time) ORDER BY time DESC LIMIT 50
        """)
    overrides = [
        override("When", unit="dateTimeFromNow", custom__width=150),
        override("Severity", mappings=SEVERITIES, custom__cellOptions=COLOURED, custom__width=90),
        override("Node", custom__width=120, mappings=absent("-")),
    ]
    return table(head, query, overrides=overrides)


def audit() -> Json:
    """Return who tried to change what, also when it was refused."""
    head = Head(
        17,
        "Recent control actions",
        "The last 25 attempts to change something, newest first, refused ones included. "
        "Source: analytics.audit.",
        "string",
        "no action to show",
    )
    query = sql("""
        SELECT time AS "When", actor AS "Who", role AS "Role", way AS "Way", action AS "Action",
          target AS "Target", outcome AS "Outcome", reason AS "Reason"
        FROM analytics.audit ORDER BY audit_id DESC LIMIT 25
        """)
    overrides = [
        override("When", unit="dateTimeFromNow", custom__width=150),
        override("Role", custom__width=90),
        override("Way", custom__width=90),
        override(
            "Outcome",
            mappings=OUTCOMES,
            custom__cellOptions=COLOURED,
            custom__width=90,
        ),
    ]
    return table(head, query, overrides=overrides)
