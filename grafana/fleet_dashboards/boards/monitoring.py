"""The dashboard "Monitoring the monitor": does the watching itself work, and what does it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import Heading, Page, Row, dashboard
from fleet_dashboards.links import MONITORING
from fleet_dashboards.topics.monitoring import control_api, readings, watching

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

PAGE = Page(
    MONITORING,
    "Monitoring the monitor",
    "Whether Prometheus, Alertmanager, the exporters, the database, the master and the control API "
    "do their work, so that silence on other dashboards can be trusted.",
    refresh="15s",
)


def build() -> Json:
    """Return the dashboard, along the way of a reading: seen, told, read, stored, steered."""
    rows: list[Row | Heading] = [
        Heading(320, "Is everything watched?"),
        Row(4, [(11, watching.success()), (13, watching.store())]),
        Row(10, [(12, watching.targets()), (12, watching.rules())]),
        Row(7, [(12, watching.scrape_duration()), (12, watching.evaluation())]),
        Heading(330, "Do people hear of it?"),
        Row(4, [(24, watching.alertmanager())]),
        Row(7, [(12, watching.deliveries()), (12, watching.handed_over())]),
        Heading(335, "What does it cost the machines?"),
        Row(8, [(12, readings.cost()), (12, readings.late_ticks())]),
        Row(9, [(12, readings.collectors()), (12, readings.lost())]),
        Heading(340, "Does what is read arrive?"),
        Row(8, [(12, readings.lag()), (12, readings.spool())]),
        Row(4, [(24, readings.storage_total())]),
        Row(11, [(24, readings.storage())]),
        Heading(346, "Does the master work?"),
        Row(4, [(24, readings.upkeep())]),
        Row(9, [(8, readings.levels()), (16, readings.rounds())]),
        Heading(349, "Does the control API answer?"),
        Row(8, [(12, control_api.requests()), (12, control_api.durations())]),
        Row(7, [(10, control_api.audit_head()), (14, control_api.attempts())]),
    ]
    return dashboard(PAGE, rows)
