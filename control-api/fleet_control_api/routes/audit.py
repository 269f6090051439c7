"""The audit log, newest first."""

from __future__ import annotations

from flask import Blueprint, request

from fleet_control_api.permissions.roles import reads
from fleet_control_api.service.context import services
from fleet_control_api.values.arguments import parse_query
from fleet_control_api.values.audit import AuditFilter, AuditPage, AuditRow

blueprint = Blueprint("audit", __name__, url_prefix="/audit")


@blueprint.get("")
@reads(AuditPage, query=AuditFilter)
def list_audit() -> AuditPage:
    """List who tried to change what, and how it ended."""
    wanted = parse_query(AuditFilter, request.args.items(multi=True))
    with services().database.transaction() as connection:
        rows = connection.execute(
            "SELECT * FROM analytics.audit WHERE audit_id < coalesce(%(before)s, audit_id + 1) "
            "ORDER BY audit_id DESC LIMIT %(limit)s",
            wanted.model_dump(),
        ).fetchall()
    return AuditPage(audit=[AuditRow(**row) for row in rows])
