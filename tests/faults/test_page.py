"""Hostile readings and names: the page stays whole, small and valid, and says what it lacks."""

from __future__ import annotations

import json
import math
import subprocess
from datetime import UTC, datetime

import pytest
from fleet_exporters.reading.counters import parse_counters
from fleet_exporters.reading.sampler import Sampler
from fleet_exporters.sample import Sample, Tick
from fleet_exporters.sinks.page.budget import SERIES_MAX, cut, decide_cap
from fleet_exporters.sinks.page.prometheus import Exposition
from prometheus_client.parser import text_string_to_metric_families
from readings import NOW, VERDICT

HOSTILE = [
    'quo"te',
    "back\\slash",
    "new\nline",
    "\udcff",
    "nul\0",
    "\u202eright to left",
    "x" * 9999,
]


def read_page(page):
    """Return the samples of a page as Prometheus reads them."""
    families = text_string_to_metric_families(page.page().body.decode())
    return [sample for family in families for sample in family.samples]


def publish(*samples):
    """Return the page of these samples."""
    page = Exposition()
    page.publish(Tick(NOW, samples, VERDICT))
    return page


def calls_file(models):
    """Return counters.json of a worker that called these models, one token more each."""
    rows = [
        {"name": "fleet_llm_tokens_total", "labels": {"model": model, "kind": kind}, "value": n}
        for n, model in enumerate(models, 1)
        for kind in ("prompt", "completion")
    ]
    return json.dumps({"version": 1, "time": datetime.now(UTC).isoformat(), "counters": rows})


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, float("1e400"), -1.0, 10.0], ids=str
)
def test_impossible_value_is_dropped_and_counted(value):
    """A share that no machine has is on no page; the reading beside it is."""
    good = Sample("fleet_load_1m", {}, 0.5)
    sampler = Sampler({"cpu": lambda: [Sample("fleet_cpu_utilization_ratio", {}, value), good]})
    found = read_page(publish(*sampler.sample()))
    values = {sample.name: sample.value for sample in found}

    assert "fleet_cpu_utilization_ratio" not in values
    assert (values["fleet_load_1m"], values["fleet_samples_dropped_total"]) == (0.5, 1)


def test_hostile_labels_do_not_break_the_page(promtool):
    """Quotes, line ends, broken UTF-8 and long names: each is one valid series."""
    sampler = Sampler(
        {"disk": lambda: [Sample("fleet_disk_free_bytes", {"mount": name}, 1) for name in HOSTILE]}
    )
    page = publish(*sampler.sample())
    done = subprocess.run(
        [promtool, "check", "metrics"], input=page.page().body, capture_output=True, check=False
    )
    mounts = [s.labels["mount"] for s in read_page(page) if s.name == "fleet_disk_free_bytes"]

    assert (done.returncode, done.stderr) == (0, b"")
    assert len(mounts) == len(HOSTILE)
    assert mounts[:3] == HOSTILE[:3]
    assert max(map(len, mounts)) <= 200


def test_hostile_model_name_does_not_break_the_page():
    """Names that come from the worker are held to the same."""
    page = publish(Sample("fleet_load_1m", {}, 1))
    page.publish_counters(parse_counters(calls_file(["\ud800\n"])))
    models = {s.labels["model"] for s in read_page(page) if "model" in s.labels}

    assert models == {"?\n"}


def test_family_over_budget_is_cut_and_counted():
    """A machine with hundreds of mounts shows the first of them, and everything else whole."""
    mounts = [Sample("fleet_disk_free_bytes", {"mount": f"/{n}"}, n) for n in range(5000)]
    few = [Sample("fleet_gpu_power_watts", {"gpu": str(n)}, n) for n in range(8)]
    found = read_page(publish(*mounts, *few))
    shown = [s.labels["mount"] for s in found if s.name == "fleet_disk_free_bytes"]
    lost = next(s.value for s in found if s.name == "fleet_page_series_cut_total")

    assert len(found) <= SERIES_MAX
    assert len([s for s in found if s.name == "fleet_gpu_power_watts"]) == 8
    assert shown == [f"/{n}" for n in range(len(shown))]
    assert lost == 5000 - len(shown)


def test_many_models_are_summed_up():
    """A server that makes up names has a few of them and `other`; the sum is everything."""
    page = publish(
        *(Sample("fleet_temperature_celsius", {"sensor": str(n)}, 40) for n in range(900))
    )
    names = [f"model-{n:04d}" for n in range(1000)]
    page.publish_counters(parse_counters(calls_file(names)))
    found = read_page(page)
    tokens = [s for s in found if s.name == "fleet_llm_tokens_total"]

    assert len(found) <= SERIES_MAX
    assert {s.labels["model"] for s in tokens} == {"model-0000", "model-0001", "other"}
    assert sum(s.value for s in tokens) == 2 * sum(range(1, 1001))


def test_models_keep_their_series_when_others_come():
    """A new name makes no counter fall."""
    page = publish(Sample("fleet_load_1m", {}, 1))
    page.publish_counters(parse_counters(calls_file(["m", "n"])))
    before = {tuple(sorted(s.labels.items())): s.value for s in read_page(page) if s.labels}
    page.publish_counters(parse_counters(calls_file(["m", "n", "a", "b"])))
    after = {tuple(sorted(s.labels.items())): s.value for s in read_page(page) if s.labels}

    assert all(after[series] >= value for series, value in before.items())


@pytest.mark.parametrize(
    ("sizes", "limit", "cap"),
    [((), 9, 9), ((3, 4), 9, 6), ((1, 20), 9, 8), ((9, 9, 9), 9, 3), ((1, 1, 5, 50), 13, 6)],
)
def test_small_families_are_spared(sizes, limit, cap):
    """What small ones leave is shared by the large."""
    assert decide_cap(sizes, limit) == cap


def test_what_fits_is_left_alone():
    """Below the limit nothing is touched, whatever its shares."""
    samples = [Sample("fleet_disk_free_bytes", {"mount": str(n)}, n) for n in range(300)]

    assert cut(samples, 300) == (samples, 0)
