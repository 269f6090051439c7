"""The dashboard "Fleet overview": what an operator needs to know and do, in that order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import Page, Row, dashboard
from fleet_dashboards.links import OVERVIEW
from fleet_dashboards.topics import conversations, hardware, network, steering, work

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

PAGE = Page(OVERVIEW, "Fleet overview", "The whole fleet on one page, with pause and resume.")


def build() -> Json:
    """Return the dashboard: is it running, does it fail, how fast, how healthy, what came out."""
    rows = [
        Row(
            5,
            [(3, steering.state()), (7, steering.buttons()), (7, work.tasks()), (7, work.jobs())],
        ),
        Row(7, [(24, work.nodes())]),
        Row(7, [(17, work.progress()), (7, steering.alerts())]),
        Row(7, [(24, steering.events())]),
        Row(
            8,
            [
                (8, work.conversations_per_hour()),
                (8, work.tokens_per_second()),
                (8, conversations.checks()),
            ],
        ),
        Row(4, [(12, conversations.kept()), (12, conversations.cost())]),
        Row(8, [(12, hardware.temperatures()), (12, hardware.utilization())]),
        Row(7, [(8, hardware.memory()), (8, hardware.disks()), (8, conversations.rejections())]),
        Row(7, [(12, network.traffic()), (12, network.peers())]),
        Row(9, [(24, conversations.latest())]),
        Row(8, [(24, steering.audit())]),
    ]
    return dashboard(PAGE, rows)
