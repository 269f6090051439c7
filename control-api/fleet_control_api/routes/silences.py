"""
Silences: alerts that nobody is told of for a while, since somebody knows why they fire.

They are set and ended at Alertmanager, which knows no callers, and kept here: who, why, until when.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from flask import Blueprint, request

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services, undo_on_failure
from fleet_control_api.service.errors import ApiError, GatewayError, NotFoundError
from fleet_control_api.values.arguments import read_query
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.paging import parse_time
from fleet_control_api.values.silences import (
    AlertToSilence,
    ListedSilence,
    Matcher,
    NewSilence,
    Silence,
    SilenceEnd,
    SilenceFilter,
    SilenceId,
    SilencePage,
    StraySilence,
    decide_matchers,
    decide_span,
    render_matchers,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from fleet_timescale.connection import Connection

    from fleet_control_api.service import alertmanager

blueprint = Blueprint("silences", __name__, url_prefix="/alerts")

ROWS = Ordered(
    "SELECT * FROM analytics.silences WHERE state = coalesce(%(state)s, state)",
    {"time": parse_time, "silence_id": UUID},
    is_newest_first=True,
)
ONE = "SELECT * FROM analytics.silences WHERE silence_id = %s"
RECORD = "SELECT control.record_silence(%s, %s, %s, %s, %s, %s, %s)"
MATCH = "SELECT control.match_alert(%s) AS matchers"


def silence_alerts(connection: Connection, who: Identity, wish: NewSilence) -> Done[Silence]:
    """Set a silence at Alertmanager, ask what it has made of it, and keep that."""
    span = decide_span(wish, datetime.now(UTC))
    matchers = decide_matchers(wish)
    if matchers is None:
        found = connection.execute(MATCH, [wish.alert_id]).fetchall()
        matchers = found[0]["matchers"]
    at = services().alertmanager
    silence_id = at.put_silence(matchers, span, who.actor, wish.reason)
    undo_on_failure(partial(at.end_silence, silence_id))
    taken = at.find_silence(silence_id)
    if taken is None or taken.is_over:
        raise GatewayError(
            f"Alertmanager has not kept silence {silence_id}",
            remedy="`./fleet logs alertmanager` may say why.",
        )
    record_silence(connection, taken, wish.alert_id)
    silence = load_silence(connection, silence_id)
    said = f"{wish.reason} (until {silence.ends_at:%Y-%m-%d %H:%M} UTC, silence {silence_id})"
    return Done(silence, silence.matchers, said)


def silence_alert(connection: Connection, who: Identity, wish: AlertToSilence) -> Done[Silence]:
    """Set a silence for one alert."""
    return silence_alerts(connection, who, NewSilence(**wish.model_dump()))


def record_silence(
    connection: Connection, taken: alertmanager.Silence, alert_id: int | None = None
) -> None:
    """Keep a silence as Alertmanager has it."""
    matchers = json.dumps(taken.matchers)
    values = [taken.owner, taken.reason, taken.starts_at, taken.ends_at, alert_id]
    connection.execute(RECORD, [taken.silence_id, matchers, *values])


def load_silence(connection: Connection, silence_id: UUID) -> Silence:
    """Return one silence, which is there."""
    return Silence(**connection.execute(ONE, [silence_id]).fetchall()[0])


def end_silence(connection: Connection, who: Identity, wish: SilenceEnd) -> Done[Silence]:
    """End a silence at Alertmanager; one that was set past this API is kept here first."""
    at = services().alertmanager
    if not connection.execute(ONE, [wish.silence_id]).fetchall():
        stray = at.find_silence(wish.silence_id)
        if stray is None:
            raise NotFoundError(
                f"no silence {wish.silence_id}", remedy="GET /alerts/silences lists all of them."
            )
        record_silence(connection, stray)
    # First, since it refuses what is over, and another one who ends it waits here.
    connection.execute(
        "SELECT control.end_silence(%s, %s, %s)", [wish.silence_id, who.actor, wish.reason]
    ).fetchall()
    at.end_silence(wish.silence_id)
    silence = load_silence(connection, wish.silence_id)
    return Done(silence, f"silence {wish.silence_id}", wish.reason or silence.matchers)


def describe(wish: NewSilence) -> str:
    """Return which alerts somebody wanted to silence, for the audit log."""
    if wish.alert_id is not None:
        return f"alert {wish.alert_id}"
    if wish.matchers is not None:
        return render_matchers(wish.matchers) or "no matcher"
    return f"{wish.alertname} on {wish.node}"


SILENCE = Command(
    "alerts.silence",
    Role.OPERATOR,
    "Mute alerts for a while.",
    NewSilence,
    Silence,
    silence_alerts,
    describe,
    errors=(GatewayError,),
)
SILENCE_ALERT = Command(
    "alerts.silence",
    Role.OPERATOR,
    "Mute an alert for a while.",
    AlertToSilence,
    Silence,
    silence_alert,
    lambda wish: f"alert {wish.alert_id}",
    errors=(GatewayError,),
)
END = Command(
    "alerts.end-silence",
    Role.OPERATOR,
    "End a silence before its time.",
    SilenceEnd,
    Silence,
    end_silence,
    lambda wish: f"silence {wish.silence_id}",
    errors=(GatewayError,),
)


@blueprint.get("/silences")
@reads(SilencePage, query=SilenceFilter, errors=(NotFoundError,))
def list_silences() -> SilencePage:
    """List silences with who set them and why, those that begin last first."""
    wanted = read_query(request, SilenceFilter)
    kept, error = ask_alertmanager()
    with services().database.transaction() as connection:
        rows, cursor = read_page(connection, ROWS, wanted, {"state": wanted.state})
        strays = find_strays(connection, kept.values())
    return SilencePage(
        silences=[
            ListedSilence(**row, is_in_force=None if error else row["silence_id"] in kept)
            for row in rows
        ],
        strays=strays,
        alertmanager_error=error,
        next_cursor=cursor,
    )


def ask_alertmanager() -> tuple[dict[UUID, alertmanager.Silence], str | None]:
    """Return what Alertmanager has that is not over, by number, and why it does not say."""
    try:
        told = services().alertmanager.list_silences()
    except ApiError as exc:
        return {}, str(exc)
    return {each.silence_id: each for each in told if not each.is_over}, None


def find_strays(
    connection: Connection, kept: Collection[alertmanager.Silence]
) -> list[StraySilence]:
    """Return what Alertmanager has and nobody has set here."""
    ids = [each.silence_id for each in kept]
    rows = connection.execute(
        "SELECT silence_id FROM analytics.silences WHERE silence_id = ANY (%s)", [ids]
    ).fetchall()
    known = {row["silence_id"] for row in rows}
    return [
        StraySilence(
            silence_id=each.silence_id,
            matchers=render_matchers([parse_matcher(matcher) for matcher in each.matchers]),
            owner=each.owner,
            reason=each.reason,
            time=each.starts_at,
            ends_at=each.ends_at,
        )
        for each in kept
        if each.silence_id not in known
    ]


def parse_matcher(told: alertmanager.Matcher) -> Matcher:
    """Return a matcher of Alertmanager's, whatever its label is called."""
    return Matcher.model_construct(
        name=told["name"], value=told["value"], is_regex=told["isRegex"], is_equal=told["isEqual"]
    )


@blueprint.post("/silence")
@changes(SILENCE)
def silence() -> Silence:
    """Mute alerts for a while; those that would be too many at once are refused."""
    return perform(SILENCE, lambda: read_arguments(request, NewSilence))


@blueprint.post("/silences/<silence_id>/end")
@changes(END, path=SilenceId)
def end(silence_id: str) -> Silence:
    """End a silence before its time."""
    return perform(END, lambda: read_arguments(request, SilenceEnd, silence_id=silence_id))
