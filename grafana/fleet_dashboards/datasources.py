"""
The three provisioned data sources, and queries of the two that panels may read.

The control API (uid fleet-control) is a way for buttons only: no panel reads it.
"""

from __future__ import annotations

import textwrap
from typing import Any

Json = dict[str, Any]

PROMETHEUS: Json = {"type": "prometheus", "uid": "fleet-prometheus"}
POSTGRES: Json = {"type": "grafana-postgresql-datasource", "uid": "fleet-postgres"}
CONTROL_UID = "fleet-control"
CONTROL_PROXY = (
    f"/api/datasources/proxy/uid/{CONTROL_UID}"  # what Grafana's action allow-list names
)

RATE_STEP = "30s"  # makes $__rate_interval two minutes: a model call lasts longer than a scrape


def sql(text: str, *, ref: str = "A", form: str = "table") -> Json:
    """Return a query of schema analytics; form is table or time_series."""
    return {
        "refId": ref,
        "datasource": POSTGRES,
        "rawSql": textwrap.dedent(text).strip(),
        "format": form,
        "rawQuery": True,
        "editorMode": "code",
    }


def series(expr: str, legend: str, *, ref: str = "A", step: str = "") -> Json:
    """Return a PromQL query over the time range; step is the smallest distance of two points."""
    return _prometheus(expr, legend, ref, interval=step, range=True, instant=False)


def instant(expr: str, legend: str = "", *, ref: str = "A", form: str = "time_series") -> Json:
    """Return a PromQL query of the present; form is time_series, or table for one row a series."""
    return _prometheus(expr, legend, ref, format=form, range=False, instant=True)


def or_say(expr: str, label: str, text: str) -> str:
    """
    Return PromQL that has a row with `text` in `label`, and no figure, where expr has none.

    A table of Prometheus without rows would show its header and no word.
    """
    nothing = f"vector(NaN) unless on () ({expr})"
    return f'({expr}) or label_replace({nothing}, "{label}", "{text}", "", "")'


def _prometheus(expr: str, legend: str, ref: str, **how: Any) -> Json:
    return {
        "refId": ref,
        "datasource": PROMETHEUS,
        "expr": " ".join(expr.split()),
        "legendFormat": legend,
        "editorMode": "code",
        "exemplar": False,
        **how,
    }
