"""Exports."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from fleet_control_api.values.fields import Request, Scenario


class ExportFilter(Request):
    """Which conversations to export."""

    job: UUID | None = Field(None, description="Only conversations of this job.")
    scenario: Scenario | None = Field(None, description="Only conversations of this scenario.")
