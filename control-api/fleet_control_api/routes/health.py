"""Whether the control API and its database answer."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from fleet_control_api.context import services
from fleet_control_api.roles import public

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public()
def health() -> dict[str, Any]:
    """Say that the control API and the database answer; 503 when the database does not."""
    with services().database.transaction() as connection:
        connection.execute("SELECT 1")
    return {"state": "up", "database": "up"}
