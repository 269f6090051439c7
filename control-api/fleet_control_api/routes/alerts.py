"""Alerts: what fires and what has fired, as Alertmanager delivers it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.alerts import (
    AlertFilter,
    AlertPage,
    Delivery,
    FiredAlert,
    Recorded,
)
from fleet_control_api.values.arguments import read_query
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.paging import parse_number, parse_time

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

    from fleet_control_api.callers.identity import Identity

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
