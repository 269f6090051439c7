"""Service discovery: where Prometheus finds the exporters of all enrolled nodes."""

from __future__ import annotations

from flask import Blueprint

from fleet_control_api.permissions.roles import reads
from fleet_control_api.service.context import services
from fleet_control_api.values.fleet import Target, Targets

blueprint = Blueprint("sd", __name__, url_prefix="/sd")


@blueprint.get("/nodes")
@reads(Targets, None, scopes=("sd",))
def list_targets() -> Targets:
    """
    List a scrape target for each enrolled node, as Prometheus' http_sd reads it; silent nodes too.
    """
    with services().database.transaction() as connection:
        rows = connection.execute(
            "SELECT node, scrape_address FROM fleet.nodes "
            "WHERE removed_at IS NULL AND scrape_address IS NOT NULL ORDER BY node"
        ).fetchall()
    return Targets(
        [Target(targets=[row["scrape_address"]], labels={"node": row["node"]}) for row in rows]
    )
