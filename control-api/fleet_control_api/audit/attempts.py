"""Record what a request has tried: done, refused, failed, or one too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from fleet_control_api.audit import log as audit
from fleet_control_api.audit.rate_limit import OWN_ROWS, OWN_ROWS_ANONYMOUS
from fleet_control_api.callers.identity import ANONYMOUS
from fleet_control_api.service.context import services, source
from fleet_control_api.service.errors import TooManyError

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

    from fleet_control_api.callers.identity import Identity
    from fleet_control_api.permissions.limits import RateLimit


def limit_changes(who: Identity, action: str, limit: RateLimit) -> None:
    """Count an attempt of a caller who is logged in. Raises TooManyError past the limit."""
    # By way in as well: a Grafana user called like one of ours must not use up their attempts.
    wait = limit.take(f"{who.way} {who.actor}")
    if not wait:
        return
    error = TooManyError(f"too many changes by {who.actor}", remedy="Wait.", retry_seconds=wait)
    record_attempt(who, action, request.path, "refused", str(error), own_rows=0)
    raise error


def write_done(
    connection: Connection, who: Identity, action: str, target: str, reason: str = ""
) -> None:
    """Record an attempt that succeeded, in the transaction of the change."""
    audit.write(connection, audit.Entry(who, action, target, "done", reason, source()))


def record_attempt(  # noqa: PLR0913 - the columns of the audit log
    who: Identity, action: str, target: str, outcome: str, reason: str, *, own_rows: int = OWN_ROWS
) -> None:
    """Record an attempt that changed nothing; those past `own_rows` a minute are summarised."""
    services().metrics.attempts.labels(action, outcome).inc()
    entry = audit.Entry(who, action, target, outcome, reason, source())
    audit.write_alone(services().database, services().audit_limit.take(entry, own_rows))


def record_anonymous(action: str, reason: str) -> None:
    """
    Count a request without valid credentials.

    One that asked for a change is also recorded in the audit log, within the rate limit.
    """
    services().metrics.unauthenticated.inc()
    if action:
        entry = audit.Entry(ANONYMOUS, action, request.path, "refused", reason, source())
        rows = services().audit_limit.take(entry, OWN_ROWS_ANONYMOUS)
        audit.write_alone(services().database, rows)
