"""Nodes: the enrolled machines and their state; what they are told to do; how one is sent away."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.routes.commands import load_command
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.arguments import read_query
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.fleet import Node, Nodes
from fleet_control_api.values.nodes import NodeCommand, NodeId, NodeOrder, Removal, Removed
from fleet_control_api.values.paging import Page, parse_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue
    from fleet_timescale.connection import Connection

blueprint = Blueprint("nodes", __name__, url_prefix="/nodes")

ROWS = Ordered("SELECT * FROM analytics.nodes", {"node": parse_name})
SUMMARIES = {
    "start": "Let the worker of a node run.",
    "stop": "End the worker of a node now; what it writes is given back. It stays stopped.",
    "restart": "End the worker of a node and start another.",
    "drain": "Let the worker of a node finish what it writes, then stop it. It stays stopped.",
}


def tell_node(
    verb: str, connection: Connection, who: Identity, order: NodeOrder
) -> Done[NodeCommand]:
    """Make a command for the agent of a node."""
    reason = order.reason or ""
    row = connection.execute(
        "SELECT fleet.request_command(%s, %s, %s, %s, %s) AS command_id",
        [order.node, verb, who.actor, reason, order.deadline_seconds],
    ).fetchall()[0]
    return Done(load_command(connection, row["command_id"]), f"node {order.node}", reason)


COMMANDS = {
    verb: Command(
        f"nodes.{verb}",
        Role.OPERATOR,
        summary,
        NodeOrder,
        NodeCommand,
        partial(tell_node, verb),
        lambda order: f"node {order.node}",
    )
    for verb, summary in SUMMARIES.items()
}


def remove_node(connection: Connection, who: Identity, removal: Removal) -> Done[Removed]:
    """Take target, rights and login of a node back."""
    reason = removal.reason or ""
    connection.execute("SELECT fleet.remove_node(%s, %s, %s)", [removal.node, who.actor, reason])
    return Done(Removed(node=removal.node, state="removed"), f"node {removal.node}", reason)


REMOVE = Command(
    "nodes.remove",
    Role.ADMIN,
    "Send a node away.",
    Removal,
    Removed,
    remove_node,
    lambda removal: f"node {removal.node}",
)


@blueprint.get("")
@reads(Nodes, query=Page, errors=(NotFoundError,))
def list_nodes() -> Nodes:
    """List the enrolled nodes, by name."""
    wanted = read_query(request, Page)
    with services().database.statements() as connection:
        rows, cursor = read_page(connection, ROWS, wanted, {})
    return Nodes(nodes=[Node(**row) for row in rows], next_cursor=cursor)


def _tell(command: Command[NodeOrder, NodeCommand]) -> Callable[..., ResponseReturnValue]:
    def tell(node: str) -> tuple[NodeCommand, int, dict[str, str]]:
        made = perform(command, lambda: read_arguments(request, NodeOrder, node=node))
        place = request.path.partition("/nodes/")[0]
        return made, 202, {"Location": f"{place}/commands/{made.command_id}"}

    tell.__doc__ = command.summary
    return changes(command, status=202, path=NodeId)(tell)


for _verb, _command in COMMANDS.items():
    blueprint.add_url_rule(
        f"/<node>/{_verb}", endpoint=_verb, view_func=_tell(_command), methods=["POST"]
    )


@blueprint.delete("/<named:node>")
@changes(REMOVE, path=NodeId)
def remove(node: str) -> Removed:
    """Send a node away: target, login, sessions and scrape token end; what it wrote stays."""
    removed = perform(REMOVE, lambda: read_arguments(request, Removal, node=node))
    # After the commit: before it the node would come in again.
    with services().database.statements() as connection:
        connection.execute("SELECT fleet.end_sessions(%s)", [removed.node])
    if scrape := services().scrape:
        scrape.renew(services().database)
    return removed
