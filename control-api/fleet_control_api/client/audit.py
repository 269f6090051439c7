"""`fleet audit <verb>`: who changed what, and whether the log of it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleet_control_api.client.tables import render_table
from fleet_control_api.client.verbs import add, add_noun
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    import argparse

    from fleet_control_api.client.remote import Remote
    from fleet_control_api.client.verbs import Answer

AUDIT_COLUMNS = ("time", "actor", "action", "target", "outcome", "reason", "way", "role")


def list_audit(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """List who tried to change what."""
    answer = remote.read_all("/audit", "audit", most=arguments.limit)
    return answer, render_table(answer["audit"], AUDIT_COLUMNS)


def verify_audit(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Check the audit log. Raises ClientError when it is not whole."""
    answer = remote.call("GET", "/audit/verify", query={"head": arguments.head})
    if answer["fault"] is not None:
        raise ClientError(
            f"the audit log was tampered with ({answer['fault']}): {answer['explanation']}"
        )
    rows = answer["audit_rows"]
    counted = "1 row" if rows == 1 else f"{rows} rows"
    return answer, f"The audit log is whole: {counted}. Its head is {answer['head']}"


def add_audit(nouns: Any) -> None:
    """Add the noun with its verbs to the command line."""
    verbs = add_noun(nouns, "audit", "see who changed what")
    summary = "list attempts to change something, newest first"
    listing = add(verbs, "list", list_audit, summary, route="GET /audit")
    listing.add_argument("--limit", type=int, default=50, help="at most so many")
    summary = "check that no row was changed, added or removed"
    verify = add(verbs, "verify", verify_audit, summary, route="GET /audit/verify")
    verify.add_argument("--head", help="of an earlier time, from the log of the control API")
