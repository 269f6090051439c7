"""The calendar of a node: when it is off on purpose."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from fleet_control_api.values.fields import WHOLE, Answer, Request, Text
from fleet_control_api.values.nodes import NodeId

TIMES_MAX = 20
Weekday = Annotated[int, Field(strict=True, ge=1, le=7), WHOLE]
Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Zone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$", max_length=64)]


class OffTime(Request):
    """A time at which a node is off, week by week."""

    weekdays: list[Weekday] = Field(
        min_length=1, max_length=7, description="Days on which it begins: 1 is Monday."
    )
    off_from: Clock = Field(description="Its beginning, such as 23:00.")
    off_to: Clock = Field(description="Its end; on the next day where that is not later.")
    time_zone: Zone = Field(description="Whose clock: Europe/Berlin, UTC.")


class NewCalendar(NodeId):
    """All times at which a node is off; an empty list for none."""

    times: list[OffTime] = Field(max_length=TIMES_MAX)
    reason: Text | None = Field(None, description="Why, for the audit log.")


class CalendarTime(Answer):
    """A time at which a node is off, week by week."""

    weekdays: list[int]
    off_from: str
    off_to: str
    time_zone: str


class Calendar(Answer):
    """When a node is off on purpose."""

    node: str
    is_expected: bool = Field(description="False while it is off on purpose now.")
    times: list[CalendarTime]
