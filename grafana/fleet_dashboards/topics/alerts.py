"""Panels about alerts: what fires, what fired, who was told, what is silent."""

from __future__ import annotations

from fleet_dashboards.datasources import Json, instant
from fleet_dashboards.looks import SEVERITIES
from fleet_dashboards.panels import COLOURED, Head, absent, columns, override, sorted_by, table


def of_node() -> Json:
    """Return the alerts of one machine that fire now."""
    head = Head(
        107,
        "Firing alerts of this node",
        "What is wrong with this machine now, and for how long. Source: Prometheus, "
        "ALERTS{alertstate='firing'} and ALERTS_FOR_STATE.",
        "string",
        "no answer from Prometheus",
    )
    # The second half makes a row of its own, so that silence of Prometheus never reads as calm.
    expr = """
        max by (alertname, severity) (
          time() - ALERTS_FOR_STATE{node="${node}"}
            and ignoring (alertstate) ALERTS{alertstate="firing",node="${node}"}
          or label_replace(label_replace(
            vector(NaN) unless on () ALERTS{alertstate="firing",node="${node}"},
            "alertname", "nothing fires", "", ""), "severity", "none", "", ""))
        """
    changes = [
        columns(severity="Severity", alertname="Alert", Value="Active for"),
        sorted_by("Severity"),
    ]
    overrides = [
        override("Severity", mappings=SEVERITIES, custom__cellOptions=COLOURED, custom__width=90),
        override("Active for", unit="s", decimals=0, custom__width=95, mappings=absent("-")),
    ]
    query = instant(expr, form="table")
    return table(head, query, transformations=changes, overrides=overrides)
