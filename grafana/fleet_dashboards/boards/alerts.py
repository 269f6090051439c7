"""The dashboard "Alerts": what fires, who does something about it, and how noisy it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import Heading, Page, Row, dashboard
from fleet_dashboards.links import ALERTS
from fleet_dashboards.topics import alert_history, alerts, steering

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

PAGE = Page(
    ALERTS,
    "Alerts",
    "What fires now, silences, history, deliveries, noise.",
    refresh="30s",  # rows with buttons must not move under a question
    since="now-24h",
)


def build() -> Json:
    """Return the dashboard: does anything fire, is somebody on it, what is silent, what was."""
    rows: list[Row | Heading] = [
        Heading(310, "Does anything fire, and is somebody on it?"),
        Row(4, [(8, alerts.counts()), (4, alerts.watchdog()), (12, alert_history.response())]),
        Row(10, [(24, alerts.firing())]),
        Row(9, [(12, alerts.by_prometheus()), (12, steering.audit())]),
        Heading(311, "What is silent?"),
        Row(8, [(24, alert_history.silences())]),
        Heading(312, "What fired, and who was told?"),
        Row(7, [(24, alerts.over_time())]),
        Row(11, [(24, alert_history.history())]),
        Row(10, [(12, alert_history.deliveries()), (12, alert_history.notes())]),
        Heading(313, "Is it too noisy?"),
        Row(9, [(14, alert_history.noise()), (10, alert_history.noise_by_day())]),
    ]
    return dashboard(PAGE, rows)
