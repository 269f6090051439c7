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
    with services().database.statements() as connection:
        rows = connection.execute(
            "SELECT node, scrape_address FROM fleet.nodes "
            "WHERE removed_at IS NULL AND scrape_address IS NOT NULL ORDER BY node"
        ).fetchall()
    return Targets([render_target(row["node"], row["scrape_address"]) for row in rows])


def render_target(node: str, scrape_address: str) -> Target:
    """Return the target of host:port, or of host:port/path where one port serves many nodes."""
    address, slash, path = scrape_address.partition("/")
    page = {"__metrics_path__": f"/{path}"} if slash else {}
    return Target(targets=[address], labels={"node": node, **page})
