"""
Endpoints: the model server of each node, as its worker sees it.

They are listed and not added: a node gets its server from its own launcher (FLEET_LLM).
"""

from __future__ import annotations

from flask import Blueprint, request

from fleet_control_api.permissions.roles import reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.arguments import read_query
from fleet_control_api.values.endpoints import Endpoint, Endpoints
from fleet_control_api.values.paging import Page, parse_name

blueprint = Blueprint("endpoints", __name__, url_prefix="/endpoints")

ROWS = Ordered("SELECT * FROM analytics.endpoints", {"node": parse_name})


@blueprint.get("")
@reads(Endpoints, query=Page, errors=(NotFoundError,))
def list_endpoints() -> Endpoints:
    """List the model server of each node, by node."""
    wanted = read_query(request, Page)
    with services().database.statements() as connection:
        rows, cursor = read_page(connection, ROWS, wanted, {})
    return Endpoints(endpoints=[Endpoint(**row) for row in rows], next_cursor=cursor)
