"""What nodes were told to do, and how far they have come with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from fleet_control_api.permissions.roles import reads
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.arguments import parse
from fleet_control_api.values.nodes import CommandId, NodeCommand

if TYPE_CHECKING:
    from uuid import UUID

    from fleet_timescale.connection import Connection

blueprint = Blueprint("commands", __name__, url_prefix="/commands")


@blueprint.get("/<command_id>")
@reads(NodeCommand, path=CommandId)
def show_command(command_id: str) -> NodeCommand:
    """Show one command to a node."""
    wanted = parse(CommandId, {"command_id": command_id}).command_id
    with services().database.statements() as connection:
        return load_command(connection, wanted)


def load_command(connection: Connection, command_id: UUID) -> NodeCommand:
    """Return one command. Raises NotFoundError."""
    row = connection.execute(
        "SELECT * FROM analytics.commands WHERE command_id = %s", [command_id]
    ).fetchone()
    if row is None:
        raise NotFoundError(
            f"no command {command_id}", remedy="POST /nodes/{node}/stop and its like return one."
        )
    return NodeCommand(**row)
