"""The dashboard "Fleet overview": what an operator needs to know and do, in that order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import Heading, Page, Row, dashboard
from fleet_dashboards.links import OVERVIEW
from fleet_dashboards.topics.alerts import firing
from fleet_dashboards.topics.conversations import outcome
from fleet_dashboards.topics.fleet import forecast, hardware, network, standing, steering, work

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

PAGE = Page(
    OVERVIEW, "Fleet overview", "The whole fleet on one page, with the buttons that steer it."
)


def build() -> Json:
    """Return the dashboard: its headings are an operator's questions, in the order asked."""
    rows: list[Row | Heading] = [
        Heading(23, "Is it running?"),
        Row(6, [(7, steering.state()), (9, steering.buttons()), (8, standing.counts())]),
        Row(8, [(16, steering.audit()), (8, work.tasks())]),
        Row(14, [(24, work.nodes())]),
        Heading(24, "Is anything wrong?"),
        Row(7, [(10, firing.of_fleet()), (14, standing.troubles())]),
        Row(6, [(24, standing.failures())]),
        Row(10, [(24, steering.events())]),
        Heading(25, "Will it be done in time?"),
        Row(4, [(6, work.jobs()), (11, forecast.end()), (7, forecast.pace())]),
        Row(9, [(24, work.progress())]),
        Row(8, [(12, work.conversations_per_hour()), (12, work.tokens_per_second())]),
        Heading(26, "Is the yield good?"),
        Row(
            4,
            [(5, outcome.kept()), (8, outcome.cost()), (11, outcome.quality())],
        ),
        Row(9, [(12, outcome.checks()), (12, outcome.rejections())]),
        Row(14, [(24, outcome.latest())]),
        Heading(27, "Details of the machines"),
        Row(9, [(12, hardware.temperatures()), (12, hardware.utilization())]),
        Row(10, [(12, hardware.memory()), (12, hardware.disks())]),
        Row(9, [(12, network.traffic()), (12, network.peers())]),
    ]
    return dashboard(PAGE, rows)
