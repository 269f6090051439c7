"""The dashboard "Jobs": what is open and when it ends, more orders, and what became of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import Heading, Page, Row, dashboard
from fleet_dashboards.links import JOBS
from fleet_dashboards.topics.fleet import forecast
from fleet_dashboards.topics.jobs import listing, ordering

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

PAGE = Page(
    JOBS,
    "Jobs",
    "Orders for conversations: those that are open, with their buttons, and those that ended.",
    since="now-24h",
)


def build() -> Json:
    """Return the dashboard; the form of a new job are the variables at its top."""
    rows: list[Row | Heading] = [
        Heading(150, "Will it be done in time?"),
        Row(4, [(15, forecast.end(151)), (9, forecast.pace(152))]),
        Row(11, [(24, listing.open_jobs())]),
        Row(8, [(10, ordering.change_picked()), (14, listing.audit())]),
        Heading(154, "What else is to be written?"),
        Row(14, [(15, ordering.scenarios()), (9, ordering.create())]),
        Heading(160, "What became of the others?"),
        Row(10, [(24, listing.timeline())]),
        Row(11, [(24, listing.ended_jobs())]),
    ]
    return dashboard(PAGE, rows, ordering.form())
