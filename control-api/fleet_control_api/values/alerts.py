"""Alerts: each time that one fired."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from fleet_control_api.values.fields import Answer
from fleet_control_api.values.paging import Listing, Page


class AlertFilter(Page):
    """Which alerts to list."""

    state: Literal["firing", "resolved"] | None = Field(
        None, description="Only alerts in this state."
    )


class FiredAlert(Answer):
    """One time that an alert fired."""

    alert_id: int
    time: datetime = Field(description="When it began to fire.")
    node: str | None
    alertname: str = Field(description="GET /runbooks/{alert} says what to do.")
    severity: str | None
    state: str = Field(description="firing or resolved.")
    summary: str
    labels: dict[str, str]
    notified_at: datetime | None = Field(description="When somebody was first told; null: nobody.")
    ended_at: datetime | None


class AlertPage(Listing):
    """Alerts, newest first."""

    alerts: list[FiredAlert]
