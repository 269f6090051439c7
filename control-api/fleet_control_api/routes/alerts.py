"""Alerts: what fires and what has fired, as Alertmanager delivers it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.alerts import (
    Acknowledgement,
    AlertFilter,
    AlertId,
    AlertPage,
    Delivery,
    FiredAlert,
    Recorded,
    Remark,
)
from fleet_control_api.values.arguments import read_query
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.paging import parse_number, parse_time

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

blueprint = Blueprint("alerts", __name__, url_prefix="/alerts")

ROWS = Ordered(
    "SELECT * FROM analytics.alerts WHERE state = coalesce(%(state)s, state)",
    {"time": parse_time, "alert_id": parse_number},
    is_newest_first=True,
)
DELIVERY_MAX = 1024 * 1024  # bytes; a group may hold hundreds of alerts


def record_delivery(connection: Connection, _: Identity, sent: Delivery) -> Done[Recorded]:
    """Keep what Alertmanager tells one of its receivers."""
    alerts = json.dumps([alert.model_dump(mode="json", by_alias=True) for alert in sent.alerts])
    row = connection.execute(
        "SELECT * FROM control.record_alerts(%s, %s)", [sent.receiver, alerts]
    ).fetchall()[0]
    said = f"of {len(sent.alerts)} alerts {row['opened']} began and {row['ended']} ended"
    return Done(Recorded(**row), describe(sent), said)


def describe(sent: Delivery) -> str:
    """Return which receiver is told of which alerts, for the audit log."""
    names = sorted({alert.labels["alertname"] for alert in sent.alerts})
    return f"{sent.receiver}: {', '.join(names)}"


DELIVER = Command(
    "alerts.deliver",
    None,
    "Keep what Alertmanager tells people.",
    Delivery,
    Recorded,
    record_delivery,
    describe,
    scopes=("webhook",),
)


def load_alert(connection: Connection, alert_id: int) -> FiredAlert:
    """Return one alert, which is there."""
    row = connection.execute(
        "SELECT * FROM analytics.alerts WHERE alert_id = %s", [alert_id]
    ).fetchall()[0]
    return FiredAlert(**row)


def acknowledge_alert(
    connection: Connection, who: Identity, wish: Acknowledgement
) -> Done[FiredAlert]:
    """Take an alert on."""
    connection.execute(
        "SELECT control.acknowledge_alert(%s, %s, %s)", [wish.alert_id, who.actor, wish.reason]
    )
    alert = load_alert(connection, wish.alert_id)
    return Done(alert, name_alert(wish), wish.reason or alert.alertname)


def comment_alert(connection: Connection, who: Identity, wish: Remark) -> Done[FiredAlert]:
    """Write something to an alert."""
    connection.execute(
        "SELECT control.comment_alert(%s, %s, %s)", [wish.alert_id, who.actor, wish.comment]
    )
    return Done(load_alert(connection, wish.alert_id), name_alert(wish), wish.comment)


def name_alert(wish: AlertId) -> str:
    """Return the alert's name for the audit log."""
    return f"alert {wish.alert_id}"


ACKNOWLEDGE = Command(
    "alerts.acknowledge",
    Role.OPERATOR,
    "Take an alert that fires on.",
    Acknowledgement,
    FiredAlert,
    acknowledge_alert,
    name_alert,
)
COMMENT = Command(
    "alerts.comment",
    Role.OPERATOR,
    "Write something to an alert.",
    Remark,
    FiredAlert,
    comment_alert,
    name_alert,
)


@blueprint.get("")
@reads(AlertPage, query=AlertFilter, errors=(NotFoundError,))
def list_alerts() -> AlertPage:
    """List each time that an alert fired, newest first."""
    wanted = read_query(request, AlertFilter)
    with services().database.statements() as connection:
        rows, cursor = read_page(connection, ROWS, wanted, {"state": wanted.state})
    return AlertPage(alerts=[FiredAlert(**row) for row in rows], next_cursor=cursor)


@blueprint.post("/webhook")
@changes(DELIVER)
def deliver() -> Recorded:
    """Keep what Alertmanager tells people; the same again changes nothing."""
    return perform(DELIVER, lambda: read_arguments(request, Delivery, size_max=DELIVERY_MAX))


@blueprint.post("/<alert_id>/acknowledge")
@changes(ACKNOWLEDGE, path=AlertId)
def acknowledge(alert_id: str) -> FiredAlert:
    """Take an alert that fires on: others see that somebody does."""
    return perform(ACKNOWLEDGE, lambda: read_arguments(request, Acknowledgement, alert_id=alert_id))


@blueprint.post("/<alert_id>/comment")
@changes(COMMENT, path=AlertId)
def comment(alert_id: str) -> FiredAlert:
    """Write something to an alert that fires or has fired."""
    return perform(COMMENT, lambda: read_arguments(request, Remark, alert_id=alert_id))
