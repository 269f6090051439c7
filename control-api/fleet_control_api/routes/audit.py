"""The audit log, newest first."""

from __future__ import annotations

from flask import Blueprint, request

from fleet_control_api.permissions.roles import reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.arguments import read_query
from fleet_control_api.values.audit import AuditFilter, AuditPage, AuditRow
from fleet_control_api.values.paging import parse_number

blueprint = Blueprint("audit", __name__, url_prefix="/audit")

ROWS = Ordered(
    "SELECT * FROM analytics.audit WHERE audit_id < coalesce(%(before)s, 9223372036854775807)",
    {"audit_id": parse_number},
    is_newest_first=True,
)


@blueprint.get("")
@reads(AuditPage, query=AuditFilter, errors=(NotFoundError,))
def list_audit() -> AuditPage:
    """List who tried to change what, and how it ended, newest first."""
    wanted = read_query(request, AuditFilter)
    with services().database.statements() as connection:
        rows, cursor = read_page(connection, ROWS, wanted, {"before": wanted.before})
    return AuditPage(audit=[AuditRow(**row) for row in rows], next_cursor=cursor)
