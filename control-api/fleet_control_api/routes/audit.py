"""The audit log, newest first."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from fleet_control_api.arguments import Field, Kind, parse
from fleet_control_api.context import services
from fleet_control_api.errors import InvalidError
from fleet_control_api.roles import reads

blueprint = Blueprint("audit", __name__, url_prefix="/audit")

LIST_MAX = 1000  # rows in one answer
LISTING = (
    Field("limit", Kind.INTEGER, f"At most so many, newest first; up to {LIST_MAX}.", default=100),
    Field("before", Kind.INTEGER, "Only rows with a smaller audit_id: the next page."),
)


@blueprint.get("")
@reads(query=LISTING)
def list_audit() -> dict[str, Any]:
    """List who tried to change what, and how it ended."""
    wanted = parse(LISTING, request.args, is_query=True)
    if not 1 <= wanted["limit"] <= LIST_MAX:
        raise InvalidError(f"limit must be between 1 and {LIST_MAX}, not {wanted['limit']}")
    with services().database.transaction() as connection:
        rows = connection.execute(
            "SELECT * FROM analytics.audit WHERE audit_id < coalesce(%(before)s, audit_id + 1) "
            "ORDER BY audit_id DESC LIMIT %(limit)s",
            wanted,
        ).fetchall()
    return {"audit": rows}
