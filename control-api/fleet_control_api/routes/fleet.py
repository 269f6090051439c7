"""The fleet as a whole: its state, pause, resume."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.service.context import services
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.fleet import FleetChange, FleetState, Why

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

blueprint = Blueprint("fleet", __name__, url_prefix="/fleet")


def set_state(state: str, connection: Connection, who: Identity, why: Why) -> Done[FleetChange]:
    """Pause or resume all nodes; doing it twice is fine."""
    reason = why.reason or ""
    row = connection.execute(
        "SELECT fleet.set_fleet_state(%s, %s, %s) AS is_changed", [state, who.actor, reason]
    ).fetchall()[0]
    said = reason or ("" if row["is_changed"] else f"was {state} already")
    answer = FleetChange(state=state, changed=row["is_changed"], by=who.actor, reason=reason)
    return Done(answer, "fleet", said)


PAUSE = Command(
    "fleet.pause",
    Role.OPERATOR,
    "Let no node claim work until resume.",
    Why,
    FleetChange,
    partial(set_state, "paused"),
    lambda _: "fleet",
)
RESUME = Command(
    "fleet.resume",
    Role.OPERATOR,
    "Let the nodes claim work again.",
    Why,
    FleetChange,
    partial(set_state, "running"),
    lambda _: "fleet",
)


@blueprint.get("")
@reads(FleetState)
def show() -> FleetState:
    """Show whether the fleet runs or is paused, since when and by whom."""
    with services().database.statements() as connection:
        return FleetState(**connection.execute("SELECT * FROM analytics.fleet_state").fetchall()[0])


@blueprint.post("/pause")
@changes(PAUSE)
def pause() -> FleetChange:
    """Let no node claim work; running conversations are finished."""
    return perform(PAUSE, lambda: read_arguments(request, Why))


@blueprint.post("/resume")
@changes(RESUME)
def resume() -> FleetChange:
    """Let the nodes claim work again."""
    return perform(RESUME, lambda: read_arguments(request, Why))
