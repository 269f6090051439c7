"""Whether the control API and its database answer."""

from __future__ import annotations

from flask import Blueprint

from fleet_control_api.permissions.roles import public
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import UnavailableError
from fleet_control_api.values.fleet import Health

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public(Health, errors=(UnavailableError,))
def health() -> Health:
    """Say that the control API and the database answer; 503 when the database does not."""
    with services().database.statements() as connection:
        connection.execute("SELECT 1")
    return Health(state="up", database="up")
