"""The audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from fleet_control_api.values.fields import WHOLE, Answer
from fleet_control_api.values.paging import Listing, Page

AuditId = Annotated[int, Field(strict=True, ge=1, le=2**53), WHOLE]


class AuditFilter(Page):
    """Which rows of the audit log to list."""

    before: AuditId | None = Field(None, description="Only rows with a smaller audit_id.")


class AuditRow(Answer):
    """One attempt to change something."""

    audit_id: int
    time: datetime
    actor: str
    role: str
    way: str = Field(description="login, token, grafana or none.")
    action: str
    target: str
    outcome: str = Field(description="done, refused or failed.")
    reason: str


class AuditPage(Listing):
    """Rows of the audit log, newest first."""

    audit: list[AuditRow]
