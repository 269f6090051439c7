"""The API described by itself: OpenAPI 3.1, and the same as one plain page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from flask import Blueprint, current_app

from fleet_control_api.description.openapi import Known, render_document
from fleet_control_api.description.page import render_page
from fleet_control_api.permissions.roles import public
from fleet_control_api.routes.config import list_keys, list_scopes
from fleet_control_api.routes.jobs import list_scenarios
from fleet_control_api.routes.runbooks import list_alerts
from fleet_control_api.routes.style import answer_page, read_style
from fleet_control_api.service.context import services
from fleet_control_api.values.documents import OpenApi

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("documents", __name__)

WAIT = 0.5  # seconds for a connection; the document is worth reading without the database, too


@blueprint.get("/openapi.json")
@public(OpenApi)
def show_openapi() -> OpenApi:
    """Describe every route as OpenAPI 3.1, with the scenarios that the database has."""
    return OpenApi(_render())


@blueprint.get("/docs")
@public("text/html")
def show_docs() -> Response:
    """List every route on one page."""
    return answer_page(render_page(_render(), read_style()))


def _render() -> dict[str, Any]:
    return render_document(current_app, services().settings.public_url, read_known())


def read_known() -> Known:
    """Return the alerts with a runbook, and what the database knows while it answers."""
    alerts = tuple(list_alerts(services().settings.runbooks))
    try:
        with services().database.transaction(WAIT) as connection:
            scenarios = tuple(list_scenarios(connection))
            keys, scopes = tuple(list_keys(connection)), tuple(list_scopes(connection))
            count = connection.execute(
                "SELECT value::integer AS max FROM analytics.config "
                "WHERE key = 'job_count_max' AND scope IN ('fleet', 'default')"
            ).fetchall()
    except psycopg.Error:
        return Known(alerts)
    return Known(alerts, scenarios, count[0]["max"], keys, scopes)
