"""The dashboard "Job": everything of one job, reached from wherever a job is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import Page, Row, dashboard
from fleet_dashboards.links import JOB
from fleet_dashboards.topics import job

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

PAGE = Page(JOB, "Job", "One order: progress, yield, failures, its conversations.", since="now-6h")


def build() -> Json:
    """Return the dashboard: how far is it, is it good, who writes it, what went wrong."""
    rows = [
        Row(4, [(4, job.state()), (11, job.counts()), (9, job.end())]),
        Row(6, [(14, job.buttons()), (10, job.audit())]),
        Row(4, [(24, job.yields())]),
        Row(9, [(7, job.progress()), (9, job.tasks()), (8, job.scenarios())]),
        Row(8, [(12, job.rejections()), (12, job.failures())]),
        Row(15, [(24, job.conversations())]),
    ]
    return dashboard(PAGE, rows, [job.variable()])
