"""The rendered configuration is one that Prometheus takes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import jinja2
import pytest
import yaml
from fleet_exporters.reading.sampler import LABEL_LENGTH_MAX

LIMITS = {
    "sample_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "body_size_limit",
}
SERIES_MAX = 400  # of a node, by the exporter's own budget
ROOT = Path(__file__).parents[2] / "prometheus"


@pytest.fixture
def values(tmp_path):
    for name in ("sd_token", "scrape_token", "metrics_token"):
        (tmp_path / name).write_text("secret")
    return {
        "rules_dir": str(ROOT / "rules"),
        "sd_url": "http://127.0.0.1:8000/api/v1/sd/nodes",
        "sd_token_file": str(tmp_path / "sd_token"),
        "scrape_token_file": str(tmp_path / "scrape_token"),
        "metrics_token_file": str(tmp_path / "metrics_token"),
        "control_address": "127.0.0.1:8000",
        "master_address": "127.0.0.1:8001",
        "llm_address": "127.0.0.1:8002",
        "alertmanager_address": "127.0.0.1:9093",
        "prometheus_address": "127.0.0.1:9090",
    }


def render(values):
    """Render as the launcher does."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string((ROOT / "prometheus.yml.j2").read_text()).render(values)


@pytest.mark.parametrize(
    "missing", [(), ("llm_address",), ("alertmanager_address",)], ids=["all", "no-llm", "no-am"]
)
def test_config_is_valid(promtool, tmp_path, values, missing):
    """Prometheus takes it, rules and token files included, also where a part is not there."""
    path = tmp_path / "prometheus.yml"
    path.write_text(render(values | dict.fromkeys(missing, "")))
    done = subprocess.run(
        [promtool, "check", "config", path], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_jobs_are_those_that_rules_name(values):
    """Each part has its job; a part that is absent has none."""
    jobs = {job["job_name"]: job for job in yaml.safe_load(render(values))["scrape_configs"]}
    without = yaml.safe_load(render(values | {"llm_address": ""}))["scrape_configs"]

    assert list(jobs) == [
        "fleet-node", "fleet-master", "fleet-control-api", "llm", "prometheus", "alertmanager",
    ]  # fmt: skip
    assert "llm" not in {job["job_name"] for job in without}


def test_master_keeps_the_nodes_it_tells_about(values):
    """A label `node` on the master's target would hide the label of its series."""
    (master,) = [
        job
        for job in yaml.safe_load(render(values))["scrape_configs"]
        if job["job_name"] == "fleet-master"
    ]

    assert master["static_configs"] == [{"targets": ["127.0.0.1:8001"]}]


def test_every_page_has_its_limits(values):
    """A target gone wild is refused before it fills the database; long label values pass."""
    jobs = yaml.safe_load(render(values))["scrape_configs"]

    for job in jobs:
        assert job.keys() >= LIMITS, job["job_name"]
    assert min(job["label_value_length_limit"] for job in jobs) >= 4 * LABEL_LENGTH_MAX
    assert jobs[0]["sample_limit"] >= 5 * SERIES_MAX
