"""
Addresses of our dashboards, and links to them: from header to header, and from a row to its page.

Whatever has a page of its own (a node, a job, a conversation) is a link to it wherever it is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.datasources import CONTROL_PROXY

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

OVERVIEW = "fleet-overview"
NODE = "fleet-node"
JOBS = "fleet-jobs"
JOB = "fleet-job"
CONVERSATION = "fleet-conversation"
CONFIGURATION = "fleet-configuration"
ALERTS = "fleet-alerts"
MONITORING = "fleet-monitoring"
PHONE = "fleet-phone"

# In the order an operator meets them. Job and conversation are reached from the rows of tables.
MENU = {
    OVERVIEW: "Overview",
    NODE: "Node",
    JOBS: "Jobs",
    CONFIGURATION: "Configuration",
    ALERTS: "Alerts",
    MONITORING: "Monitoring",
    PHONE: "Phone",
}


def menu(uid: str) -> list[Json]:
    """Return the links in the header of a dashboard to all others of the menu."""
    return [
        {
            "type": "link",
            "title": title,
            "url": f"/d/{other}",
            "icon": "dashboard",
            "tooltip": "",
            "asDropdown": False,
            "includeVars": False,
            "keepTime": True,
            "tags": [],
            "targetBlank": False,
        }
        for other, title in MENU.items()
        if other != uid
    ]


def to_node(field: str = "Node") -> list[Json]:
    """Return the link of a cell to its node; field is the column that has the node's name."""
    return _to(NODE, "node", field, "Open node")


def to_job(field: str = "job_id") -> list[Json]:
    """Return the link of a cell to its job; field is the (hidden) column with the whole id."""
    return _to(JOB, "job", field, "Open job")


def to_conversation(field: str = "conversation_id") -> list[Json]:
    """Return the link of a cell to its conversation; field as in `to_job`."""
    return _to(CONVERSATION, "conversation", field, "Open conversation")


def to_runbook(field: str = "Alert") -> list[Json]:
    """
    Return the link of a cell to the runbook of its alert.

    It goes through the proxy of the data source: where the control API is seen from outside, no
    dashboard knows.
    """
    value = f'${{__data.fields["{field}"]:percentencode}}'
    url = f"{CONTROL_PROXY}/runbooks/{value}"
    return [{"title": "Open runbook", "url": url, "targetBlank": True}]


def to_node_of_series() -> list[Json]:
    """Return the link of a line to the node of its label."""
    return _link(NODE, "node", "${__field.labels.node}", "Open node")


def _to(uid: str, variable: str, field: str, title: str) -> list[Json]:
    return _link(uid, variable, f'${{__data.fields["{field}"]:percentencode}}', title)


def _link(uid: str, variable: str, value: str, title: str) -> list[Json]:
    return [{"title": title, "url": f"/d/{uid}?var-{variable}={value}", "targetBlank": False}]
