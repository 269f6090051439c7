"""The model of a node: tried by its agent at its server, set only if that answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, request

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.arguments import parse
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.models import ModelProbe, ModelWish
from fleet_control_api.values.nodes import NodeId

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

blueprint = Blueprint("models", __name__, url_prefix="/nodes/<node>/model")


def request_model(connection: Connection, who: Identity, wish: ModelWish) -> Done[ModelProbe]:
    """Have a node try a model and then write with it."""
    connection.execute(
        "SELECT fleet.request_model(%s, %s, %s, %s, %s)",
        [wish.node, wish.model, who.actor, wish.reason or "", wish.version],
    )
    reason = f"{wish.model}: {wish.reason}" if wish.reason else wish.model
    return Done(load_probe(connection, wish.node), f"model of node {wish.node}", reason)


TRY = Command(
    "nodes.model",
    Role.ADMIN,
    "Have a node try a model and write with it.",
    ModelWish,
    ModelProbe,
    request_model,
    lambda wish: f"model of node {wish.node}",
)


@blueprint.get("")
@reads(ModelProbe, path=NodeId)
def show_probe(node: str) -> ModelProbe:
    """Show how far the model wanted last for a node is: requested, set, refused or expired."""
    wanted = parse(NodeId, {"node": node}).node
    with services().database.statements() as connection:
        return load_probe(connection, wanted)


@blueprint.post("")
@changes(TRY, status=202, path=NodeId)
def try_model(node: str) -> tuple[ModelProbe, int, dict[str, str]]:
    """Have a node try a model; it is set once the node's server has answered with it."""
    probe = perform(TRY, lambda: read_arguments(request, ModelWish, node=node))
    return probe, 202, {"Location": request.path}


def load_probe(connection: Connection, node: str) -> ModelProbe:
    """Return the newest try of a node. Raises NotFoundError."""
    row = connection.execute(
        "SELECT * FROM analytics.model_probes WHERE node = %s ORDER BY requested_at DESC LIMIT 1",
        [node],
    ).fetchone()
    if row is None:
        raise NotFoundError(
            f"no model was wanted for node {node}", remedy="GET /nodes lists all nodes."
        )
    return ModelProbe(**row)
