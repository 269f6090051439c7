"""The dashboard "Job": everything of one job, reached from wherever a job is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import Page, Row, dashboard
from fleet_dashboards.links import JOB
from fleet_dashboards.topics.jobs import detail, results

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

PAGE = Page(JOB, "Job", "One order: progress, yield, failures, its conversations.", since="now-6h")


def build() -> Json:
    """Return the dashboard: how far is it, is it good, who writes it, what went wrong."""
    rows = [
        Row(4, [(4, detail.state()), (11, detail.counts()), (9, detail.end())]),
        Row(6, [(14, detail.buttons()), (10, detail.audit())]),
        Row(4, [(24, results.yields())]),
        Row(9, [(7, detail.progress()), (9, detail.tasks()), (8, results.scenarios())]),
        Row(8, [(12, results.rejections()), (12, results.failures())]),
        Row(15, [(24, results.conversations())]),
    ]
    return dashboard(PAGE, rows, [detail.variable()])
