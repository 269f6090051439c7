"""Nodes: the enrolled machines and their state."""

from __future__ import annotations

from flask import Blueprint

from fleet_control_api.permissions.roles import reads
from fleet_control_api.service.context import services
from fleet_control_api.values.fleet import Node, Nodes

blueprint = Blueprint("nodes", __name__, url_prefix="/nodes")


@blueprint.get("")
@reads(Nodes)
def list_nodes() -> Nodes:
    """List the enrolled nodes."""
    with services().database.transaction() as connection:
        rows = connection.execute("SELECT * FROM analytics.nodes ORDER BY node").fetchall()
    return Nodes(nodes=[Node(**row) for row in rows])
