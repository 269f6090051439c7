"""The dashboard "Configuration": what is set for whom, how it came so, and who runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import Heading, Page, Row, dashboard
from fleet_dashboards.links import CONFIGURATION
from fleet_dashboards.topics.configuration import models, settings
from fleet_dashboards.topics.fleet import steering

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

PAGE = Page(
    CONFIGURATION,
    "Configuration",
    "Settings of the fleet, of roles and of machines, weights of scenarios, models.",
    refresh="30s",
    since="now-24h",
)
CHANGES = "action LIKE 'config.%' OR action = 'nodes.model'"


def build() -> Json:
    """Return the dashboard: does everybody run it, what is set, what was changed."""
    rows: list[Row | Heading] = [
        Row(4, [(24, settings.standing())]),
        Row(9, [(12, settings.nodes()), (12, steering.audit(253, only=CHANGES))]),
        Heading(252, "What is set for the chosen scope"),
        Row(
            16,
            [
                (
                    24,
                    settings.in_force(
                        241,
                        "How conversations are written",
                        "generation",
                        "Temperature, lengths, tries, calls at once, method.",
                    ),
                )
            ],
        ),
        Row(
            16,
            [
                (
                    24,
                    settings.in_force(
                        242,
                        "Thresholds, heat and throttle",
                        "thresholds,throttle",
                        "When alerts fire, and when machines write slower or not at all.",
                    ),
                )
            ],
        ),
        Row(
            12,
            [
                (
                    24,
                    settings.in_force(
                        243,
                        "Queue and network",
                        "queue,peers",
                        "Leases, heartbeats, attempts, limits of jobs, measuring of lines.",
                    ),
                )
            ],
        ),
        Row(8, [(24, settings.narrower())]),
        Heading(254, "Scenarios and models"),
        Row(14, [(12, settings.weights()), (12, models.tries())]),
        Row(13, [(24, models.offered())]),
        Heading(255, "What was changed"),
        Row(12, [(24, settings.history())]),
        Row(9, [(24, settings.difference())]),
    ]
    return dashboard(PAGE, rows, settings.variables())
