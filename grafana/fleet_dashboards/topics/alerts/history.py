"""Panels about alerts of the past: silences, what fired, who was told, how noisy it was."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.actions import Button, buttons_column, field
from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.looks import SEVERITIES
from fleet_dashboards.panels import (
    COLOURED,
    HIDDEN,
    LONG,
    Head,
    absent,
    lines,
    override,
    share_bar,
    stat,
    table,
    thresholds,
    words,
)

END = Button(
    verb="silence-end",
    label="End",
    question=f"End silence {field('silence_id')}, which was set by {field('By')}? "
    "Alerts that it mutes are told again at once.",
    variant="destructive",
    arguments=[("silence_id", field("silence_id"))],
)
NODE_WIDTH = 110


def silences() -> Json:
    """Return who silenced what, why and until when, and the button that ends it."""
    head = Head(
        287,
        "Silences",
        "Silences that last or will begin, then those that ended in the last day: which alerts, by "
        "whom, why, until when. End asks for a reason; on one that has ended it does nothing. "
        "Source: analytics.silences.",
        "string",
        "nothing is silenced",
    )
    query = sql("""
        SELECT silence_id::text AS silence_id, state AS "State", matchers AS "Which alerts",
          node AS "Node", owner AS "By", reason AS "Why", time AS "Since", ends_at AS "Until",
          concat_ws(': ', ended_by, end_reason) AS "Ended by", '' AS "To do"
        FROM analytics.silences WHERE state <> 'ended'
          OR coalesce(ended_at, ends_at) > now() - interval '1 day'
        ORDER BY state = 'ended', time DESC, silence_id LIMIT 50
        """)
    states = words(
        active=("silent", "purple"), pending=("begins later", "blue"), ended=("ended", "text")
    )
    overrides = [
        override("silence_id", **HIDDEN),
        override("State", mappings=states, custom__cellOptions=COLOURED, custom__width=90),
        override("Which alerts", **LONG),
        override("Node", links=links.to_node(), custom__width=NODE_WIDTH),
        override("By", custom__width=100),
        override("Why", **LONG),
        override("Since", unit="dateTimeFromNow", custom__width=120),
        override("Until", unit="dateTimeFromNow", custom__width=120),
        override("Ended by", **LONG),
        buttons_column("To do", 80, END),
    ]
    return table(head, query, overrides=overrides)


def history() -> Json:
    """Return each time that an alert fired in the time range."""
    head = Head(
        288,
        "History",
        "The last 100 times that an alert began to fire in the chosen time, silenced ones "
        "included: how long it lasted, who was told, who took it on and how soon. "
        "Source: analytics.alerts.",
        "string",
        "nothing fired in this time",
    )
    query = sql("""
        SELECT time AS "Began", severity AS "Severity", alertname AS "Alert", node AS "Node",
          summary AS "What", state AS "State",
          extract(epoch FROM ended_at - time)::double precision AS "Lasted",
          CASE WHEN was_delivered THEN array_to_string(receivers, ', ') ELSE 'nobody' END AS "Told",
          acknowledged_by AS "Taken on by",
          extract(epoch FROM acknowledged_at - time)::double precision AS "after",
          comment AS "Comment"
        FROM analytics.alerts
        WHERE $__timeFilter(time) AND state <> 'pending' AND alertname <> 'Watchdog'
        ORDER BY time DESC LIMIT 100
        """)
    states = words(firing=("firing", "red"), resolved=("over", "green"))
    overrides = [
        override("Began", unit="dateTimeFromNow", custom__width=120),
        override("Severity", mappings=SEVERITIES, custom__cellOptions=COLOURED, custom__width=80),
        override("Alert", links=links.to_runbook(), custom__width=170),
        override(
            "Node", links=links.to_node(), mappings=absent("the fleet"), custom__width=NODE_WIDTH
        ),
        override("What", **LONG),
        override("State", mappings=states, custom__cellOptions=COLOURED, custom__width=70),
        override("Lasted", unit="s", decimals=0, mappings=absent("not over"), custom__width=90),
        override("Told", custom__width=140, **LONG),
        override("Taken on by", mappings=absent("nobody"), custom__width=100),
        override("after", unit="s", decimals=0, custom__width=80),
        override("Comment", **LONG),
    ]
    return table(head, query, overrides=overrides)


def deliveries() -> Json:
    """Return whom Alertmanager told in the time range."""
    head = Head(
        289,
        "Deliveries",
        "The last 100 times that Alertmanager told a receiver of an alert in the chosen time; one "
        "mail may tell of several. Source: analytics.alert_deliveries.",
        "string",
        "nobody was told in this time",
    )
    query = sql("""
        SELECT time AS "When", receiver AS "Receiver", status AS "That it", alertname AS "Alert",
          node AS "Node"
        FROM analytics.alert_deliveries WHERE $__timeFilter(time) AND alertname <> 'Watchdog'
        ORDER BY time DESC, delivery_id DESC LIMIT 100
        """)
    states = words(firing=("fires", "red"), resolved=("is over", "green"))
    overrides = [
        override("When", unit="dateTimeFromNow", custom__width=120),
        override("That it", mappings=states, custom__cellOptions=COLOURED, custom__width=75),
        override("Alert", links=links.to_runbook()),
        override(
            "Node", links=links.to_node(), mappings=absent("the fleet"), custom__width=NODE_WIDTH
        ),
    ]
    return table(head, query, overrides=overrides)


def notes() -> Json:
    """Return what people said of alerts."""
    head = Head(
        293,
        "What people said",
        "Acknowledgements and comments of the chosen time, newest first. "
        "Source: analytics.alert_notes.",
        "string",
        "nobody said anything in this time",
    )
    query = sql("""
        SELECT time AS "When", author AS "Who", kind AS "Did", alertname AS "Alert",
          node AS "Node", comment AS "Said"
        FROM analytics.alert_notes WHERE $__timeFilter(time) ORDER BY time DESC, note_id LIMIT 50
        """)
    kinds = words(acknowledgement=("took it on", "blue"), comment=("commented", "text"))
    overrides = [
        override("When", unit="dateTimeFromNow", custom__width=120),
        override("Who", custom__width=100),
        override("Did", mappings=kinds, custom__cellOptions=COLOURED, custom__width=95),
        override("Alert", links=links.to_runbook()),
        override(
            "Node", links=links.to_node(), mappings=absent("the fleet"), custom__width=NODE_WIDTH
        ),
        override("Said", **LONG),
    ]
    return table(head, query, overrides=overrides)


def response() -> Json:
    """Return how noisy alerts were, and how soon people answered."""
    head = Head(
        283,
        "Noise and answer",
        "In the chosen time: alerts that began to fire, of those over in less than 5 minutes "
        "(flapping), notifications sent, share that somebody took on, and the median time until "
        "then. Source: analytics.alerts, analytics.alert_deliveries.",
        "locale",
        "unknown: the database does not answer",
    )
    query = sql("""
        SELECT count(*) AS "fired", count(*) FILTER (WHERE ended_at - time < interval '5 minutes')
            AS "short-lived",
          (SELECT count(*) FROM analytics.alert_deliveries
            WHERE $__timeFilter(time) AND alertname <> 'Watchdog') AS "notifications",
          (count(acknowledged_at) / nullif(count(*), 0)::double precision) AS "taken on",
          percentile_cont(0.5) WITHIN GROUP (
            ORDER BY extract(epoch FROM acknowledged_at - time)::double precision) AS "after"
        FROM analytics.alerts
        WHERE $__timeFilter(time) AND state <> 'pending' AND alertname <> 'Watchdog'
        """)
    overrides = [
        override("taken on", unit="percentunit", decimals=0, mappings=absent("none fired")),
        override("after", unit="s", decimals=0, mappings=absent("nobody did")),
    ]
    return stat(head, query, decimals=0, thresholds=thresholds("text"), overrides=overrides)


def noise() -> Json:
    """Return which alerts were the noisiest."""
    head = Head(
        290,
        "The noisiest alerts",
        "By name, over the days (UTC) of the chosen time: how often it fired, how long in all, how "
        "often that was over in less than 5 minutes, notifications sent, how often somebody took "
        "it on. Much noise that nobody takes on asks for another rule. "
        "Source: analytics.alert_noise.",
        "string",
        "nothing fired in this time",
    )
    query = sql("""
        SELECT alertname AS "Alert", severity AS "Severity", sum(times_fired) AS "Fired",
          sum(firing_seconds) AS "In all", sum(short_lived) AS "Short-lived",
          sum(notifications) AS "Notifications",
          sum(acknowledged) / nullif(sum(times_fired), 0)::double precision AS "Taken on"
        FROM analytics.alert_noise
        WHERE day BETWEEN ($__timeFrom()::timestamptz AT TIME ZONE 'UTC')::date
            AND ($__timeTo()::timestamptz AT TIME ZONE 'UTC')::date
          AND alertname <> 'Watchdog'
        GROUP BY alertname, severity
        ORDER BY sum(notifications) DESC, sum(times_fired) DESC, alertname LIMIT 30
        """)
    count = {"unit": "locale", "custom__width": 105}
    overrides = [
        override("Alert", links=links.to_runbook()),
        override("Severity", mappings=SEVERITIES, custom__cellOptions=COLOURED, custom__width=80),
        override("Fired", **count),
        override("In all", unit="s", decimals=0, custom__width=90),
        override("Short-lived", **count),
        override("Notifications", **count),
        share_bar("Taken on", thresholds("blue")),
    ]
    return table(head, query, overrides=overrides)


def noise_by_day() -> Json:
    """Return how noise rose or fell from day to day."""
    head = Head(
        291,
        "Noise by day",
        "How often alerts fired and receivers were told on each day (UTC) of the chosen time. "
        "Source: analytics.alert_noise.",
        "locale",
        "nothing fired in this time",
    )
    query = sql(
        """
        SELECT greatest(day::timestamp AT TIME ZONE 'UTC', $__timeFrom()::timestamptz) AS time,
          sum(times_fired)::double precision AS "fired",
          sum(notifications)::double precision AS "notifications",
          sum(short_lived)::double precision AS "short-lived"
        FROM analytics.alert_noise
        WHERE day BETWEEN ($__timeFrom()::timestamptz AT TIME ZONE 'UTC')::date
            AND ($__timeTo()::timestamptz AT TIME ZONE 'UTC')::date
          AND alertname <> 'Watchdog'
        GROUP BY day ORDER BY day
        """,
        form="time_series",
    )
    return lines(head, query, min=0, decimals=0, custom={"drawStyle": "bars", "fillOpacity": 60})
