"""The names in PromQL are those that our programs publish."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from fleet_control_api.service.metrics import Metrics
from fleet_exporters.catalogue import SPEC_BY_SERIES
from fleet_orchestrator.fleet_metrics import FleetCollector, Standing

OWN = {"up", "ALERTS", "ALERTS_FOR_STATE"}  # Prometheus makes these itself
# What other programs publish; that it is so is seen where the queries run against the real ones.
FOREIGN = ("alertmanager_", "process_", "prometheus_", "scrape_")
FUNCTIONS = {"sum", "max", "min", "avg", "count", "topk", "rate", "increase", "time", "vector"}
FUNCTIONS |= {
    "max_over_time",
    "avg_over_time",
    "label_replace",
    "histogram_quantile",
    "scalar",
    "sort_desc",
}
WORDS = {"by", "group_left", "and", "or", "unless", "on", "ignoring", "NaN"}


def names(expr):
    """The names of metrics in PromQL: words outside of braces, ranges, texts and label lists."""
    for part in (r'"[^"]*"', r"\{[^}]*\}", r"\[[^\]]*\]", r"\b(by|on|ignoring) \([^)]*\)"):
        expr = re.sub(part, " ", expr)
    return set(re.findall(r"[A-Za-z_:]\w*", expr)) - FUNCTIONS - WORDS


@pytest.fixture(scope="module")
def published():
    """The names of all series that exporter, leading master and control API publish."""
    master = FleetCollector()
    nothing = {each.name: {} if each.type.startswith("dict") else 0 for each in fields(Standing)}
    master.publish(Standing(**nothing | {"state": "running"}))
    control = Metrics()
    control.duration.labels("/jobs").observe(1)
    control.requests.labels("GET", "/jobs", "200").inc()
    control.attempts.labels("jobs.submit", "done").inc()
    own = {
        sample.name
        for collector in (control.registry, master)
        for family in collector.collect()
        for sample in family.samples
    } | {family.name for family in master.collect()}
    return own | SPEC_BY_SERIES.keys() | OWN


def test_metrics_are_published(prometheus_target, published):
    """A mistyped name would show as an empty panel for ever."""
    found = {name for name in names(prometheus_target["expr"]) if not name.startswith(FOREIGN)}

    assert found <= published


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
