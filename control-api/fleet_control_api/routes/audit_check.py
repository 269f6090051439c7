"""Whether the audit log is whole: no row changed, inserted, removed or cut off."""

from __future__ import annotations

from flask import Blueprint, request

from fleet_control_api.callers.identity import Role
from fleet_control_api.permissions.roles import reads
from fleet_control_api.service.context import services
from fleet_control_api.values.arguments import read_query
from fleet_control_api.values.audit_check import AuditCheck, AuditHead

blueprint = Blueprint("audit_check", __name__, url_prefix="/audit/verify")


@blueprint.get("")
@reads(AuditCheck, Role.ADMIN, query=AuditHead)
def verify_audit() -> AuditCheck:
    """Check every row of the audit log against its chain of hashes, and against an older head."""
    wanted = read_query(request, AuditHead)
    with services().database.transaction() as connection:
        connection.execute("SET LOCAL statement_timeout = '5min'")  # it reads all rows
        row = connection.execute(
            "SELECT * FROM control.verify_audit(%s)", [wanted.head]
        ).fetchall()[0]
    return AuditCheck(**row)
