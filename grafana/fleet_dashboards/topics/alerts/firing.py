"""Panels about alerts that fire now: what Prometheus says, what people do about it."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.actions import Button, buttons_column, field
from fleet_dashboards.datasources import Json, instant, series, sql
from fleet_dashboards.looks import SEVERITIES
from fleet_dashboards.panels import (
    COLOURED,
    HIDDEN,
    LONG,
    Head,
    absent,
    columns,
    lines,
    override,
    sorted_by,
    stat,
    table,
    thresholds,
    words,
)

# The Watchdog always fires, to show that alerts come through: it has a tile of its own.
ALL = 'ALERTS{alertname!="Watchdog"}'
FIRING = 'ALERTS{alertstate="firing",alertname!="Watchdog"}'


ALERT_ID = ("alert_id", field("alert_id"))
ACKNOWLEDGE = Button(
    verb="alert-acknowledge",
    label="Acknowledge",
    question=f"Take on alert {field('alert_id')} ({field('Alert')})? Others see that you do.",
    variant="primary",
    arguments=[ALERT_ID],
)
SILENCE = Button(
    verb="alert-silence",
    label="Silence",
    question=f"Silence alert {field('alert_id')} ({field('Alert')}) for the minutes that you gave? "
    "It is shown here, but nobody is told of it.",
    variant="secondary",
    arguments=[ALERT_ID],
    prompts=[("minutes", "Minutes"), ("reason", "Reason")],
)


def counts() -> Json:
    """Return how many alerts fire, by severity."""
    head = Head(
        280,
        "Firing now",
        "Alerts that fire, by severity; a critical one is sent as SMS and mail, a warning as mail. "
        "Source: analytics.alerts (state firing), without the Watchdog.",
        "locale",
        "unknown: the database does not answer",
    )
    query = sql("""
        SELECT count(*) FILTER (WHERE severity = 'critical') AS critical,
          count(*) FILTER (WHERE severity = 'warning') AS warning,
          count(*) FILTER (WHERE severity = 'info') AS info,
          count(*) FILTER (WHERE acknowledged_at IS NULL) AS "not taken on"
        FROM analytics.alerts WHERE state = 'firing' AND alertname <> 'Watchdog'
        """)
    overrides = [
        override("critical", thresholds=thresholds("green", (1, "red"))),
        override("warning", thresholds=thresholds("green", (1, "orange"))),
        override("info", thresholds=thresholds("text", (1, "blue"))),
        override("not taken on", thresholds=thresholds("text", (1, "orange"))),
    ]
    return stat(head, query, decimals=0, overrides=overrides)


def watchdog() -> Json:
    """Return whether the rules are evaluated at all."""
    head = Head(
        281,
        "Alert rules",
        "Alive: the Watchdog, an alert that always fires, does so; then no alert means that "
        "nothing is wrong. Its notification goes to the dead-man's switch, where one is set. "
        "Source: Prometheus, ALERTS{alertname='Watchdog'}.",
        "string",
        "NOT EVALUATED: nothing can fire",
    )
    expr = 'max(ALERTS{alertname="Watchdog",alertstate="firing"})'
    return stat(
        head,
        instant(expr, "rules"),
        color="background",
        mappings=words(**{"1": ("alive", "green")}),
        thresholds=thresholds("red"),
    )


def firing() -> Json:
    """Return the alerts that fire, with what people may do about each."""
    head = Head(
        286,
        "Alerts that fire, and what to do",
        "Every firing alert, the newest first; the name opens its runbook. Told: who was notified, "
        "or why nobody was. Acknowledge and Silence ask for a reason and need the role Editor or "
        "Admin. This page is refreshed each 30 s, so that rows do not move under a "
        "question. "
        "Source: analytics.alerts, analytics.silences.",
        "string",
        "nothing fires",
    )
    query = sql("""
        SELECT a.alert_id, round(extract(epoch FROM now() - a.time)) AS "For",
          a.severity AS "Severity", a.alertname AS "Alert", a.node AS "Node",
          concat_ws(' ', a.summary, nullif(translate(a.labels::text, '{}"', ''), '')) AS "What",
          CASE WHEN s.until IS NOT NULL THEN 'nobody: silenced'
            WHEN a.was_delivered THEN array_to_string(a.receivers, ', ')
            ELSE 'nobody yet' END AS "Told",
          s.until AS "Silent until", a.acknowledged_by AS "Taken on by", '' AS "To do"
        FROM analytics.alerts a LEFT JOIN (
          SELECT alert_id, max(ends_at) AS until FROM analytics.silences WHERE state = 'active'
          GROUP BY alert_id) s USING (alert_id)
        WHERE a.state = 'firing' AND a.alertname <> 'Watchdog' ORDER BY a.alert_id DESC
        """)
    overrides = [
        override("alert_id", **HIDDEN),
        override("For", unit="s", decimals=0, custom__width=90),
        override("Severity", mappings=SEVERITIES, custom__cellOptions=COLOURED, custom__width=80),
        override("Alert", links=links.to_runbook(), custom__width=170),
        override("Node", links=links.to_node(), mappings=absent("the fleet"), custom__width=120),
        override("What", **LONG),
        override("Told", custom__width=140, **LONG),
        override(
            "Silent until",
            unit="dateTimeFromNow",
            mappings=absent("not silent"),
            custom__width=110,
        ),
        override("Taken on by", mappings=absent("nobody"), custom__width=100),
        buttons_column("To do", 190, ACKNOWLEDGE, SILENCE),
    ]
    return table(head, query, overrides=overrides)


def _or_calm(rows: str, alerts: str) -> str:
    """Return PromQL with a row of its own for calm: silence of Prometheus never reads as that."""
    return f"""
        {rows}
        or label_replace(label_replace(
          vector(NaN) unless on () {alerts},
          "alertname", "nothing fires", "", ""), "severity", "none", "", "")
        """


def of_fleet(number: int = 6, *, is_narrow: bool = False) -> Json:
    """Return the alerts that fire now, the gravest first."""
    head = Head(
        number,
        "Firing alerts",
        "What needs a look now, without Watchdog, which always fires. Source: Prometheus, "
        "ALERTS{alertstate='firing'}; the age is that of ALERTS_FOR_STATE.",
        "string",
        "no answer from Prometheus",
    )
    rows = f"time() - ALERTS_FOR_STATE and ignoring (alertstate) {FIRING}"
    expr = f"max by (alertname, severity, node) ({_or_calm(rows, FIRING)})"
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
        override("Alert", links=links.to_runbook()),
        override("Node", links=links.to_node()),
        override("Active for", unit="s", decimals=0, custom__width=100, mappings=absent("-")),
    ]
    if is_narrow:
        overrides += [override("Node", custom__width=100), override("Active for", **HIDDEN)]
    query = instant(expr, form="table")
    return table(head, query, transformations=changes, overrides=overrides)


def by_prometheus() -> Json:
    """Return what Prometheus itself says, which also knows what is about to fire."""
    head = Head(
        282,
        "What Prometheus says now",
        "Alerts that fire or are about to, straight from the rules: the list beside follows within "
        "15 s, while a master leads. Source: Prometheus, ALERTS and ALERTS_FOR_STATE.",
        "string",
        "no answer from Prometheus",
    )
    rows = f"""
        {ALL} * 0 + ignoring (alertstate) group_left () (time() - ALERTS_FOR_STATE)
        """
    expr = f"max by (alertname, severity, node, alertstate) ({_or_calm(rows, ALL)})"
    changes = [
        columns(
            alertstate="State", severity="Severity", alertname="Alert", node="Node", Value="For"
        ),
        sorted_by("State"),
    ]
    states = words(firing=("firing", "red"), pending=("about to", "orange"))
    overrides = [
        override("State", mappings=states, custom__cellOptions=COLOURED, custom__width=80),
        override("Severity", mappings=SEVERITIES, custom__cellOptions=COLOURED, custom__width=80),
        override("Alert", links=links.to_runbook()),
        override("Node", links=links.to_node(), custom__width=120),
        override("For", unit="s", decimals=0, custom__width=90, mappings=absent("-")),
    ]
    query = instant(expr, form="table")
    return table(head, query, transformations=changes, overrides=overrides)


def over_time() -> Json:
    """Return how many alerts fired over time."""
    head = Head(
        292,
        "Firing over time",
        "Alerts that fired at each moment, by severity. Source: Prometheus, count of "
        "ALERTS{alertstate='firing'} without the Watchdog.",
        "locale",
        "nothing fired in this time",
    )
    # By pattern, since the series come with their labels.
    colours = [
        {
            "matcher": {"id": "byRegexp", "options": f"/^{severity}$/"},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for severity, colour in (("critical", "red"), ("warning", "orange"), ("info", "blue"))
    ]
    expr = f"count by (severity) ({FIRING})"
    custom = {"fillOpacity": 30, "stacking": {"mode": "normal", "group": "A"}}
    return lines(
        head,
        series(expr, "{{severity}}"),
        min=0,
        decimals=0,
        overrides=colours,
        custom=custom,
    )


def of_node() -> Json:
    """Return the alerts of one machine that fire now."""
    head = Head(
        107,
        "Firing alerts of this node",
        "What is wrong with this machine now, and for how long; the name opens its runbook. "
        "Source: Prometheus, ALERTS{alertstate='firing'} and ALERTS_FOR_STATE.",
        "string",
        "no answer from Prometheus",
    )
    of_this = 'ALERTS{alertstate="firing",node="${node}"}'
    rows = f"""
        time() - ALERTS_FOR_STATE{{node="${{node}}"}} and ignoring (alertstate) {of_this}
        """
    expr = f"max by (alertname, severity) ({_or_calm(rows, of_this)})"
    changes = [
        columns(severity="Severity", alertname="Alert", Value="Active for"),
        sorted_by("Severity"),
    ]
    overrides = [
        override("Severity", mappings=SEVERITIES, custom__cellOptions=COLOURED, custom__width=90),
        override("Alert", links=links.to_runbook()),
        override("Active for", unit="s", decimals=0, custom__width=95, mappings=absent("-")),
    ]
    query = instant(expr, form="table")
    return table(head, query, transformations=changes, overrides=overrides)
