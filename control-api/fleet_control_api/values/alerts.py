"""Alerts: each time that one fired."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from fleet_timescale.text import clean
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field

from fleet_control_api.values.fields import Answer, Request, Text
from fleet_control_api.values.paging import Listing, Page

_DIGITS = re.compile(r"[0-9]{1,19}")
AlertNumber = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]


def _parse_digits(value: object) -> object:
    """Return the number that the digits of an address spell; anything else as it is."""
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


class AlertId(Request):
    """Which alert."""

    alert_id: Annotated[AlertNumber, BeforeValidator(_parse_digits)] = Field(
        description="The number of the alert, as GET /alerts has it."
    )


class Acknowledgement(AlertId):
    """An alert that somebody takes on."""

    reason: Text | None = Field(None, description="What you do about it.")


class Remark(AlertId):
    """Something to know of an alert."""

    comment: Text = Field(description="What others should know of it.")


class AlertFilter(Page):
    """Which alerts to list."""

    state: Literal["pending", "firing", "resolved"] | None = Field(
        None, description="Only alerts in this state."
    )


class FiredAlert(Answer):
    """One time that an alert fired."""

    alert_id: int
    time: datetime = Field(description="When it began to fire.")
    node: str | None
    alertname: str = Field(description="GET /runbooks/{alert} says what to do.")
    severity: str | None
    state: str = Field(description="pending, firing or resolved.")
    summary: str
    labels: dict[str, str]
    notified_at: datetime | None = Field(description="When somebody was first told; null: nobody.")
    ended_at: datetime | None
    receivers: list[str] = Field(description="Which receivers of Alertmanager were told.")
    was_delivered: bool = Field(description="False: silenced, inhibited, or not yet told.")
    source: str = Field(description="Who knows of it: prometheus, alertmanager or both.")
    acknowledged_at: datetime | None
    acknowledged_by: str | None = Field(description="Who took it on.")
    comment: str | None = Field(description="What was last written to it.")


class AlertPage(Listing):
    """Alerts, newest first."""

    alerts: list[FiredAlert]


RuleText = Annotated[str, AfterValidator(clean)]


class Sent(Request):
    """What another program sends: what a later version of it adds is left aside."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def _check_name(labels: dict[str, str]) -> dict[str, str]:
    if "alertname" not in labels:
        raise ValueError("alertname is missing")
    return labels


Labels = Annotated[
    dict[RuleText, RuleText],
    AfterValidator(_check_name),
    Field(json_schema_extra={"required": ["alertname"]}),
]
_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)


def _check_time(value: object) -> object:
    """Return the value. Raises ValueError for numbers and what else pydantic takes for a time."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("a time such as 2026-01-31T12:00:00Z is needed")
    return value


def _to_utc(time: datetime) -> datetime:
    """Return the time in UTC: PostgreSQL knows fewer zones than JSON has."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return time.replace(tzinfo=UTC)  # at the end of the calendar a few hours do not matter


Time = Annotated[AwareDatetime, BeforeValidator(_check_time), AfterValidator(_to_utc)]


class Annotations(Sent):
    """What an alert says."""

    summary: RuleText = ""


class SentAlert(Sent):
    """One alert of a delivery."""

    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Annotations = Annotations()
    starts_at: Time = Field(alias="startsAt")
    ends_at: Time = Field(alias="endsAt")


class Delivery(Sent):
    """What Alertmanager's webhook sends."""

    version: Literal["4"] = Field(description="Of Alertmanager's webhook.")
    receiver: RuleText = Field(description="Whom Alertmanager tells.")
    alerts: list[SentAlert] = Field(description="What fires and what has ended.")


class Recorded(Answer):
    """What a delivery has changed; nothing when it came before."""

    opened: int = Field(description="Alerts that began to fire.")
    ended: int = Field(description="Alerts that are over.")
