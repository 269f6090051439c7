"""The dashboard "Alerts": what fires, who does something about it, and how noisy it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import Heading, Page, Row, dashboard
from fleet_dashboards.links import ALERTS
from fleet_dashboards.topics.alerts import firing, history
from fleet_dashboards.topics.fleet import steering

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
        Row(4, [(8, firing.counts()), (4, firing.watchdog()), (12, history.response())]),
        Row(10, [(24, firing.firing())]),
        Row(9, [(12, firing.by_prometheus()), (12, steering.audit())]),
        Heading(311, "What is silent?"),
        Row(8, [(24, history.silences())]),
        Heading(312, "What fired, and who was told?"),
        Row(7, [(24, firing.over_time())]),
        Row(11, [(24, history.history())]),
        Row(10, [(12, history.deliveries()), (12, history.notes())]),
        Heading(313, "Is it too noisy?"),
        Row(9, [(14, history.noise()), (10, history.noise_by_day())]),
    ]
    return dashboard(PAGE, rows)
