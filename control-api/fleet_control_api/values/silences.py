"""Silences: which alerts are muted, for how long, and what is too much of it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fleet_timescale.text import TEXT_MAX
from pydantic import Field, StringConstraints

from fleet_control_api.service.errors import InvalidError
from fleet_control_api.values.alerts import AlertId, AlertNumber, Time
from fleet_control_api.values.fields import WHOLE, Answer, Request, Text
from fleet_control_api.values.nodes import NodeName
from fleet_control_api.values.paging import Listing, Page

MINUTES_MAX = 30 * 24 * 60
MATCHERS_MAX = 20
Minutes = Annotated[int, Field(strict=True, ge=1, le=MINUTES_MAX), WHOLE]
LabelName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,99}$")]
LabelValue = Annotated[str, StringConstraints(max_length=TEXT_MAX, pattern=r"^[^\x00-\x1f\x7f]*$")]
RuleName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,99}$")]
# What one regular expression out of several must be to count: words, perhaps with .* between them.
NARROW = re.compile(r"(?=.*\w)(?:[\w :/@%=-]|\\\.|\.[*+](?=.*\w)|(?<=\w)\.[*+])+", re.ASCII)
NAMING = ("alertname", "node")


class Matcher(Request):
    """What a label of an alert must be, or must not be."""

    name: LabelName = Field(description="The label: alertname, node, gpu.")
    value: LabelValue
    is_regex: bool = Field(
        default=False, description="The value is a regular expression, for all of it."
    )
    is_equal: bool = Field(default=True, description="False: all alerts but those.")


class AlertToSilence(AlertId):
    """An alert to mute that fires or is about to, for how long, and why."""

    minutes: Minutes = Field(description="For how long.")
    reason: Text = Field(description="Why; it stands in the list of silences and in the audit log.")


class NewSilence(Request):
    """Which alerts to mute, until when, and why."""

    reason: Text = Field(description="Why; it stands in the list of silences and in the audit log.")
    minutes: Minutes | None = Field(None, description="For how long; or say ends_at.")
    ends_at: Time | None = Field(None, description="Until when, 30 days at most.")
    starts_at: Time | None = Field(None, description="From when on; without it from now on.")
    alert_id: Annotated[AlertNumber, WHOLE] | None = Field(
        None, description="The alert to mute, which fires or is about to."
    )
    alertname: RuleName | None = Field(None, description="Or the alerts of that name at a node.")
    node: NodeName | None = Field(None, description="The node of alertname.")
    matchers: list[Matcher] | None = Field(
        None, max_length=MATCHERS_MAX, description="Or what alerts must fulfil, two at least."
    )


class SilenceFilter(Page):
    """Which silences to list."""

    state: Literal["pending", "active", "ended"] | None = Field(
        None, description="Only silences in this state."
    )


class SilenceId(Request):
    """Which silence."""

    silence_id: UUID = Field(description="The id of the silence.")


class SilenceEnd(SilenceId):
    """Which silence to end, and why."""

    reason: Text | None = Field(None, description="Why, for the list of silences.")


class Silence(Answer):
    """A silence that was set here."""

    silence_id: UUID
    state: str = Field(description="pending (begins later), active or ended.")
    matchers: str = Field(description="What an alert must fulfil to be muted.")
    alertname: str | None
    node: str | None
    reason: str
    owner: str = Field(description="Who set it.")
    time: datetime = Field(description="When it began, or will.")
    ends_at: datetime
    ended_at: datetime | None = Field(description="When somebody ended it before that.")
    ended_by: str | None
    end_reason: str | None
    created_at: datetime
    alert_id: int | None = Field(description="The alert that it was set for.")


class ListedSilence(Silence):
    """A silence, and whether Alertmanager has it."""

    is_in_force: bool | None = Field(
        description="Whether Alertmanager has it and it is not over; null: it does not say."
    )


class StraySilence(Answer):
    """A silence that Alertmanager has and that was not set here."""

    silence_id: UUID
    matchers: str
    owner: str = Field(description="As whoever set it wrote; nobody has checked it.")
    reason: str
    time: datetime
    ends_at: datetime


class SilencePage(Listing):
    """Silences, those that begin last first."""

    silences: list[ListedSilence]
    strays: list[StraySilence] = Field(
        description="What else Alertmanager has: set past this API, or while an answer was lost."
    )
    alertmanager_error: str | None = Field(
        description="Why Alertmanager does not say what it has; null: it does."
    )


def decide_matchers(wish: NewSilence) -> list[dict[str, Any]] | None:
    """
    Return the matchers as Alertmanager takes them; None for those of one alert.

    Raises InvalidError for none, for two ways to say it, and for what mutes too much.
    """
    ways = [wish.alert_id, wish.alertname, wish.matchers]
    if sum(way is not None for way in ways) != 1 or (wish.node and not wish.alertname):
        raise InvalidError(
            "it is not clear which alerts to silence",
            remedy="Send one of alert_id, alertname with node, or matchers.",
        )
    if wish.alert_id is not None:
        return None
    wanted = wish.matchers or [
        Matcher(name=name, value=value)
        for name, value in (("alertname", wish.alertname), ("node", wish.node))
        if value
    ]
    check_breadth(wanted)
    return [
        {"name": m.name, "value": m.value, "isRegex": m.is_regex, "isEqual": m.is_equal}
        for m in wanted
    ]


def check_breadth(matchers: list[Matcher]) -> None:
    """Raise InvalidError unless two labels are narrowed, one of them to alerts or nodes."""
    narrowed = {matcher.name for matcher in matchers if is_narrow(matcher)}
    if len(narrowed) < 2 or not narrowed & set(NAMING):
        said = render_matchers(matchers) or "no matcher"
        raise InvalidError(
            f"{said} would silence too much",
            remedy="Name two labels at least, alertname or node among them, such as "
            "alertname=GpuHot and node=nova. What matches any value or none does not count.",
        )


def is_narrow(matcher: Matcher) -> bool:
    """Return whether it picks out some values of a label."""
    if not matcher.is_equal or not matcher.value:
        return False
    return not matcher.is_regex or all(map(NARROW.fullmatch, matcher.value.split("|")))


def render_matchers(matchers: list[Matcher]) -> str:
    """Return matchers as Alertmanager writes them."""
    signs = {(True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~"}
    return ", ".join(f'{m.name}{signs[m.is_equal, m.is_regex]}"{m.value}"' for m in matchers)


def decide_span(wish: NewSilence, now: datetime) -> tuple[datetime, datetime]:
    """Return beginning and end. Raises InvalidError for none, one that is past, or too long."""
    starts = max(wish.starts_at or now, now)
    if (wish.minutes is None) == (wish.ends_at is None):
        raise InvalidError("a silence needs an end", remedy="Send minutes, or ends_at; not both.")
    longest = timedelta(minutes=MINUTES_MAX)
    ends = wish.ends_at or starts + timedelta(minutes=wish.minutes or 0)
    if ends <= starts or starts - now > longest or ends - starts > longest:
        raise InvalidError(
            f"a silence from {starts:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC is not possible",
            remedy="It must end after it begins, last 30 days at most, and begin within 30 days.",
        )
    return starts, ends
