"""The control API's own metrics."""

from __future__ import annotations

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from fleet_control_api.callers.identity import Role
from fleet_control_api.permissions.roles import reads
from fleet_control_api.service.context import services

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@reads("text/plain", Role.ADMIN, scopes=("metrics",))
def show_metrics() -> Response:
    """Show the control API's metrics in Prometheus' text format."""
    return Response(services().metrics.render(), content_type=CONTENT_TYPE_LATEST)
