"""Alerts: what fires and what has fired."""

from __future__ import annotations

from flask import Blueprint, request

from fleet_control_api.permissions.roles import reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.alerts import AlertFilter, AlertPage, FiredAlert
from fleet_control_api.values.arguments import parse_query
from fleet_control_api.values.paging import parse_number, parse_time

blueprint = Blueprint("alerts", __name__, url_prefix="/alerts")

ROWS = Ordered(
    "SELECT * FROM analytics.alerts WHERE state = coalesce(%(state)s, state)",
    {"time": parse_time, "alert_id": parse_number},
    is_newest_first=True,
)


@blueprint.get("")
@reads(AlertPage, query=AlertFilter, errors=(NotFoundError,))
def list_alerts() -> AlertPage:
    """List each time that an alert fired, newest first."""
    wanted = parse_query(AlertFilter, request.args.items(multi=True))
    with services().database.transaction() as connection:
        rows, cursor = read_page(connection, ROWS, wanted, {"state": wanted.state})
    return AlertPage(alerts=[FiredAlert(**row) for row in rows], next_cursor=cursor)
