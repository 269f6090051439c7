"""
Grafana's buttons.

Each POST /buttons/<verb> is one of the commands, with its arguments in the query string.

Every verb is an address of its own, matched exactly; nothing happens on GET. Runbooks can be read
through the same proxy: links of dashboards need not know where the API is seen from outside. The
last three routes answer what Grafana's graphite data source asks by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, request

from fleet_control_api.changes.perform import perform_once
from fleet_control_api.permissions.roles import button, public
from fleet_control_api.routes import (
    alerts,
    config,
    fleet,
    job_changes,
    jobs,
    models,
    nodes,
    runbooks,
    silences,
    stopping,
)
from fleet_control_api.values.arguments import parse_button
from fleet_control_api.values.documents import Series, Version

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue

    from fleet_control_api.changes.commands import Arguments, Command, Reply

blueprint = Blueprint("buttons", __name__, url_prefix="/buttons")

BUTTONS: dict[str, Command[Any, Any]] = {
    "fleet-pause": fleet.PAUSE,
    "fleet-resume": fleet.RESUME,
    "fleet-emergency-stop": stopping.STOP,
    "job-submit": jobs.SUBMIT_PICKED,
    "job-cancel": job_changes.CANCEL,
    "job-pause": job_changes.PAUSE,
    "job-resume": job_changes.RESUME,
    "job-retry": job_changes.RETRY,
    "job-move": job_changes.MOVE_TO_END,
    "jobs-update": job_changes.UPDATE,
    "jobs-change": job_changes.UPDATE_PICKED,
    "alert-silence": silences.SILENCE_ALERT,
    "silence-end": silences.END,
    "alert-acknowledge": alerts.ACKNOWLEDGE,
    "config-set": config.SET,
    "config-rollback": config.ROLLBACK,
    "node-model": models.TRY,
    **{f"node-{verb}": command for verb, command in nodes.COMMANDS.items()},
}


def _press(command: Command[Arguments, Reply]) -> Callable[..., ResponseReturnValue]:
    def press() -> Reply:
        pairs = list(request.args.items(multi=True))
        return perform_once(command, lambda: parse_button(command.arguments, pairs), pairs)

    press.__doc__ = command.summary
    return button(command)(press)


for _verb, _command in BUTTONS.items():
    blueprint.add_url_rule(
        f"/{_verb}", endpoint=_verb, view_func=_press(_command), methods=["POST"]
    )


blueprint.add_url_rule("/runbooks/<alert>", view_func=runbooks.show_runbook, methods=["GET"])


@blueprint.post("/render")
@public(Series)
def render() -> Series:
    """Answer Grafana's graphite queries: there are no series here."""
    return Series([])


@blueprint.get("/events/get_data")
@public(Series)
def show_events() -> Series:
    """Answer Grafana's graphite annotations: there are none here."""
    return Series([])


@blueprint.get("/version")
@public(Version)
def show_version() -> Version:
    """Answer Grafana's question for the version of graphite."""
    return Version(version="1.1.10")
