"""Nodes: the enrolled machines and their state."""

from __future__ import annotations

from flask import Blueprint, request

from fleet_control_api.permissions.roles import reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.arguments import parse_query
from fleet_control_api.values.fleet import Node, Nodes
from fleet_control_api.values.paging import Page, parse_name

blueprint = Blueprint("nodes", __name__, url_prefix="/nodes")

ROWS = Ordered("SELECT * FROM analytics.nodes", {"node": parse_name})


@blueprint.get("")
@reads(Nodes, query=Page, errors=(NotFoundError,))
def list_nodes() -> Nodes:
    """List the enrolled nodes, by name."""
    wanted = parse_query(Page, request.args.items(multi=True))
    with services().database.transaction() as connection:
        rows, cursor = read_page(connection, ROWS, wanted, {})
    return Nodes(nodes=[Node(**row) for row in rows], next_cursor=cursor)
