"""Service discovery: where Prometheus finds the exporters of all enrolled nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from fleet_control_api.context import services
from fleet_control_api.roles import reads

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

blueprint = Blueprint("sd", __name__, url_prefix="/sd")


@blueprint.get("/nodes")
@reads(None, scopes=("sd",))
def list_targets() -> ResponseReturnValue:
    """
    List a scrape target for each enrolled node, as Prometheus' http_sd reads it; silent nodes too.
    """
    with services().database.transaction() as connection:
        rows = connection.execute(
            "SELECT node, scrape_address FROM fleet.nodes "
            "WHERE removed_at IS NULL AND scrape_address IS NOT NULL ORDER BY node"
        ).fetchall()
    return [{"targets": [row["scrape_address"]], "labels": {"node": row["node"]}} for row in rows]
