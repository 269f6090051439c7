"""The audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from fleet_control_api.values.fields import WHOLE, Answer, Limit, Request

AuditId = Annotated[int, Field(strict=True, ge=1, le=2**53), WHOLE]


class AuditFilter(Request):
    """Which rows of the audit log to list."""

    limit: Limit = Field(100, description="At most so many, newest first.")
    before: AuditId | None = Field(
        None, description="Only rows with a smaller audit_id: the next page."
    )


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


class AuditPage(Answer):
    """Rows of the audit log, newest first."""

    audit: list[AuditRow]
