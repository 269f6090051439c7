"""What a real Prometheus says of its rules."""

from __future__ import annotations

import subprocess

import pytest
from fix_fleet import wait_until
from fix_ports import free_port
from fleet_orchestrator.alert_sample import SampleError, read_rules

RULES = """\
groups:
  - name: tests
    interval: 200ms
    rules:
      - {record: tests:one, expr: vector(1)}
      - alert: Loud
        expr: vector(1)
        labels: {severity: critical}
        annotations: {summary: "It is loud."}
      - {alert: Waiting, expr: vector(1), for: 1h}
      - {alert: Quiet, expr: vector(1) > 2}
"""


@pytest.fixture
def prometheus_url(tools, tmp_path):
    """The address of a Prometheus with rules and nothing else."""
    (tmp_path / "tests.rules.yml").write_text(RULES)
    (tmp_path / "prometheus.yml").write_text(f"rule_files: [{tmp_path}/tests.rules.yml]\n")
    address = f"127.0.0.1:{free_port()}"
    command = [
        tools["prometheus"], f"--config.file={tmp_path}/prometheus.yml",
        f"--web.listen-address={address}", f"--storage.tsdb.path={tmp_path}/data",
    ]  # fmt: skip
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield f"http://{address}"
    process.terminate()
    process.wait(20)


def read_or_none(url):
    try:
        return read_rules(url)
    except SampleError:
        return None


def test_rules_of_prometheus_are_understood(prometheus_url):
    """What fires, what is about to, what is calm, and when each was evaluated."""

    def find_evaluated():
        rules = read_or_none(prometheus_url) or []
        states = {rule["alertname"]: [a["state"] for a in rule["alerts"]] for rule in rules}
        return states.get("Loud") == ["firing"] and rules

    rules = {rule["alertname"]: rule for rule in wait_until(find_evaluated, "a rule fires")}

    (loud,) = rules["Loud"]["alerts"]
    assert loud["labels"] == {"alertname": "Loud", "severity": "critical"}
    assert loud["summary"] == "It is loud."
    assert [alert["state"] for alert in rules["Waiting"]["alerts"]] == ["pending"]
    assert rules["Quiet"]["alerts"] == []
    assert {rule["evaluated_at"][:4] for rule in rules.values()} != {"0001"}
