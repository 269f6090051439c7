"""The dashboard "Phone": one column for a thumb, the emergency stop at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import COLUMNS, Page, Row, dashboard
from fleet_dashboards.links import PHONE
from fleet_dashboards.topics.alerts import firing
from fleet_dashboards.topics.conversations import outcome
from fleet_dashboards.topics.fleet import forecast, phone, standing, steering

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

PAGE = Page(PHONE, "Phone", "The fleet in one column: how it stands, what fires, stop and resume.")


def build() -> Json:
    """Return the dashboard, every panel as wide as the screen."""
    panels = [
        (4, steering.state(360)),
        (9, phone.buttons()),
        (6, firing.of_fleet(362, is_narrow=True)),
        (7, phone.troubles()),
        (4, standing.counts(363)),
        (10, forecast.end(365, orientation="horizontal", title_pixels=14)),
        (4, forecast.pace(366)),
        (7, phone.progress()),
        (4, outcome.kept(368)),
        (13, phone.nodes()),
        (9, phone.audit()),
    ]
    return dashboard(PAGE, [Row(height, [(COLUMNS, panel)]) for height, panel in panels])
