"""The names in PromQL are those that our programs publish."""

from __future__ import annotations

import re

import pytest
from fleet_exporters.catalogue import SPEC_BY_SERIES

MASTER = {"fleet_jobs", "fleet_tasks"}  # of what the leading master publishes, those in use here
OWN = {"ALERTS", "ALERTS_FOR_STATE"}  # Prometheus makes these itself
FUNCTIONS = {"sum", "max", "min", "rate", "time", "vector", "label_replace"}
FUNCTIONS |= {"max_over_time", "avg_over_time", "histogram_quantile", "increase", "scalar"}
WORDS = {"by", "and", "or", "unless", "on", "ignoring", "NaN"}


def names(expr):
    """The names of metrics in PromQL: words outside of braces, ranges, texts and label lists."""
    for part in (r'"[^"]*"', r"\{[^}]*\}", r"\[[^\]]*\]", r"\b(by|on|ignoring) \([^)]*\)"):
        expr = re.sub(part, " ", expr)
    return set(re.findall(r"[A-Za-z_:]\w*", expr)) - FUNCTIONS - WORDS


def test_metrics_are_published(prometheus_target):
    """A mistyped name would show as an empty panel for ever."""
    found = names(prometheus_target["expr"])

    assert found
    assert found <= SPEC_BY_SERIES.keys() | MASTER | OWN


def test_scraped_page_is_an_exporter_s(scraped_pages):
    """The page that these tests scrape has names and labels as the exporter gives them."""
    for line in scraped_pages["node"].splitlines():
        name, labels = re.match(r"(\w+)(?:\{(.*)\})?", line).groups()
        keys = re.findall(r"(\w+)=", labels or "")
        bounds = ("le",) if name.endswith("_bucket") else ()
        assert tuple(keys) == SPEC_BY_SERIES[name].labels + bounds


@pytest.mark.parametrize("thing", ["job", "task"])
def test_scraped_states_are_the_database_s(owner, scraped_pages, thing):
    """The states that tiles add up are all that there are."""
    rows = owner.execute(
        f"SELECT unnest(enum_range(NULL::fleet.{thing}_state))::text AS state"
    ).fetchall()
    published = re.findall(rf'fleet_{thing}s{{state="(\w+)"}}', scraped_pages["master"])

    assert published == [row["state"] for row in rows]
