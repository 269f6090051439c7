"""Nodes: who takes part, and how they are."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from fleet_control_api.context import services
from fleet_control_api.roles import reads

blueprint = Blueprint("nodes", __name__, url_prefix="/nodes")


@blueprint.get("")
@reads()
def list_nodes() -> dict[str, Any]:
    """List the enrolled nodes."""
    with services().database.transaction() as connection:
        rows = connection.execute("SELECT * FROM analytics.nodes ORDER BY node").fetchall()
    return {"nodes": rows}
