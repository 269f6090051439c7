"""Calendars of nodes: a machine that its owner switches off at night is not missed then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.arguments import parse
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.calendar import Calendar, CalendarTime, NewCalendar
from fleet_control_api.values.nodes import NodeId

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

blueprint = Blueprint("calendar", __name__, url_prefix="/nodes/<node>/calendar")

TIMES = "SELECT * FROM analytics.node_calendar WHERE node = %s ORDER BY position"


def load_calendar(connection: Connection, node: str) -> Calendar:
    """Return when a node is off on purpose. Raises NotFoundError."""
    row = connection.execute(
        "SELECT is_expected FROM analytics.nodes WHERE node = %s", [node]
    ).fetchone()
    if row is None:
        raise NotFoundError(f"no node {node}", remedy="GET /nodes lists all nodes.")
    times = [
        CalendarTime(
            weekdays=time["weekdays"],
            off_from=f"{time['off_from']:%H:%M}",
            off_to=f"{time['off_to']:%H:%M}",
            time_zone=time["time_zone"],
        )
        for time in connection.execute(TIMES, [node]).fetchall()
    ]
    return Calendar(node=node, is_expected=row["is_expected"], times=times)


def set_calendar(connection: Connection, _: Identity, wish: NewCalendar) -> Done[Calendar]:
    """Replace the times at which a node is off; the audit log has them."""
    times = json.dumps([time.model_dump() for time in wish.times])
    connection.execute("SELECT fleet.set_node_calendar(%s, %s)", [wish.node, times])
    said = "; ".join(
        f"{','.join(map(str, t.weekdays))} {t.off_from}-{t.off_to} {t.time_zone}"
        for t in wish.times
    )
    reason = f"{wish.reason}: " if wish.reason else ""
    return Done(
        load_calendar(connection, wish.node), f"node {wish.node}", f"{reason}off {said or 'never'}"
    )


SET = Command(
    "nodes.calendar",
    Role.OPERATOR,
    "Say when a node is off on purpose.",
    NewCalendar,
    Calendar,
    set_calendar,
    lambda wish: f"node {wish.node}",
)


@blueprint.get("")
@reads(Calendar, path=NodeId)
def show_calendar(node: str) -> Calendar:
    """Show when a node is off on purpose, and whether it is now."""
    wanted = parse(NodeId, {"node": node}).node
    with services().database.transaction() as connection:
        return load_calendar(connection, wanted)


@blueprint.put("")
@changes(SET, path=NodeId)
def put_calendar(node: str) -> Calendar:
    """Say when a node is off on purpose: nobody misses it then."""
    return perform(SET, lambda: read_arguments(request, NewCalendar, node=node))
