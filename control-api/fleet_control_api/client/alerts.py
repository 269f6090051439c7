"""`fleet alerts <verb>`: what fired, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markdown import Markdown

from fleet_control_api.client.remote import quote
from fleet_control_api.client.tables import render_table
from fleet_control_api.client.verbs import add, add_noun

if TYPE_CHECKING:
    import argparse

    from fleet_control_api.client.remote import Remote
    from fleet_control_api.client.verbs import Answer

ALERT_COLUMNS = ("time", "alertname", "node", "severity", "state", "ended_at", "summary")


def list_alerts(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """List alerts."""
    answer = remote.read_all("/alerts", "alerts", {"state": arguments.state}, arguments.limit)
    return answer, render_table(answer["alerts"], ALERT_COLUMNS)


def show_runbook(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Show a runbook."""
    with remote.open("GET", f"/runbooks/{quote(arguments.alert)}") as response:
        text = response.content.decode()
    return {"alert": arguments.alert, "runbook": text}, Markdown(text)


def add_alerts(nouns: Any) -> None:
    """Add the noun with its verbs to the command line."""
    verbs = add_noun(nouns, "alerts", "see what fired, and what to do about it")
    listing = add(verbs, "list", list_alerts, "list alerts, newest first", route="GET /alerts")
    listing.add_argument("--state", choices=("pending", "firing", "resolved"), help="only these")
    listing.add_argument("--limit", type=int, default=50, help="at most so many")
    summary = "show what to do when an alert fires"
    runbook = add(verbs, "runbook", show_runbook, summary, route="GET /runbooks/{alert}")
    runbook.add_argument("alert", metavar="ALERT")
