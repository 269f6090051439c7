"""Rules fire when they should, say what to do, and name only metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from fleet_exporters.catalogue import SPEC_BY_SERIES
from fleet_stack.cli import COMMANDS, NOUNS

ROOT = Path(__file__).parents[2] / "prometheus"
HERE = Path(__file__).parent
SETTINGS = ROOT.parent / "timescale" / "data" / "settings.json"
RULES = sorted((ROOT / "rules").glob("*.rules.yml"))
HEADINGS = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"]
RUNBOOK_LINES_MAX = 60

# What the leading master publishes; its own tests hold it to these names.
MASTER_METRICS = {
    "fleet_jobs",
    "fleet_tasks",
    "fleet_nodes",
    "fleet_node_heartbeat_timestamp_seconds",
    "fleet_node_expected",
    "fleet_paused",
    "fleet_stopped",
    "fleet_stop_unacknowledged_nodes",
    "fleet_threshold",
    "fleet_levels_upkeep_timestamp_seconds",
    "fleet_master_failover_timestamp_seconds",
    "fleet_master_leading",
    "fleet_node_duplicated_timestamp_seconds",
    "fleet_tasks_taken_back_total",
    "fleet_database_up",
}

# What the control API publishes, held to it in its tests likewise.
CONTROL_METRICS = {"fleet_audit_rows", "fleet_certificate_expiry_timestamp_seconds"}


def read_groups(path):
    """Return the groups of a rule file."""
    return yaml.safe_load(path.read_text())["groups"]


# The dashboards that alerts link to. Those that are not built yet are announced.
DASHBOARDS = {
    "fleet-overview", "fleet-node", "fleet-jobs", "fleet-configuration", "fleet-alerts",
    "fleet-monitoring", "fleet-phone", "fleet-job", "fleet-conversation",
}  # fmt: skip
# Alerts over what is not there; all others say nothing without data.
OF_ABSENCE = {"FleetUnwatched", "NoLeader", "Watchdog"}

ALL_RULES = [rule for path in RULES for group in read_groups(path) for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in ALL_RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in ALL_RULES if "record" in rule}


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_are_valid(promtool, path):
    """Prometheus accepts every rule file."""
    done = subprocess.run(
        [promtool, "check", "rules", path], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_fire_as_told(promtool, path):
    """Every rule file has a test file, and its cases hold."""
    cases = path.name.replace(".rules.yml", ".test.yml")
    done = subprocess.run(
        [promtool, "test", "rules", cases], cwd=HERE, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_is_tested_both_ways(alert):
    """Some case sees the alert fire and some case sees that it does not, unless it always does."""
    checks = [
        check
        for path in HERE.glob("*.test.yml")
        for case in yaml.safe_load(path.read_text())["tests"]
        for check in case.get("alert_rule_test", [])
        if check["alertname"] == alert
    ]

    wanted = {True} if alert == "Watchdog" else {True, False}
    assert {bool(check["exp_alerts"]) for check in checks} == wanted


def test_alerts_say_nothing_without_data(promtool, tmp_path):
    """Where no series exists no alert fires, but those that are there to tell of an absence."""
    quiet = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [{"series": 'up{job="other"}', "values": "1x120"}],
                "alert_rule_test": [
                    {"eval_time": "20m", "alertname": alert, "exp_alerts": []}
                    for alert in ALERTS.keys() - OF_ABSENCE
                ],
            }
        ],
    }
    (tmp_path / "quiet.test.yml").write_text(yaml.safe_dump(quiet))
    done = subprocess.run(
        [promtool, "test", "rules", "quiet.test.yml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_tells_what_to_do(alert):
    """Severity, a fixed summary, a description with values, a dashboard and its own runbook."""
    rule = ALERTS[alert]
    annotations = rule["annotations"]

    severities = {"none"} if alert == "Watchdog" else {"critical", "warning"}
    assert rule["labels"]["severity"] in severities
    assert set(annotations) == {"summary", "description", "dashboard", "runbook"}
    assert "{{" not in annotations["summary"]
    assert annotations["runbook"] == alert
    assert annotations["dashboard"] in DASHBOARDS


@pytest.mark.parametrize("alert", ALERTS)
def test_runbook_has_its_four_parts(alert):
    """A runbook is short and answers: what is it, does it hurt, where to look, what to do."""
    lines = (ROOT / "runbooks" / f"{alert}.md").read_text().splitlines()

    assert lines[0] == f"# {alert}"
    assert [line for line in lines if line.startswith("## ")] == HEADINGS
    assert len(lines) < RUNBOOK_LINES_MAX


@pytest.mark.parametrize("alert", ALERTS)
def test_runbook_queries_run(owner, alert):
    """What a runbook tells people to ask the database, the database answers."""
    text = (ROOT / "runbooks" / f"{alert}.md").read_text()
    queries = re.findall(r'psql "\$FLEET_DATABASE_URL" -c "([^"]+)"', text)

    assert len(queries) == text.count("psql ")
    for query in queries:
        owner.execute(query)


@pytest.mark.parametrize("alert", ALERTS)
def test_runbook_commands_exist(alert):
    """The front door knows every command that a runbook names."""
    text = (ROOT / "runbooks" / f"{alert}.md").read_text()

    known = {command.split()[0] for command in (*COMMANDS, *NOUNS)}
    assert set(re.findall(r"\./fleet ([a-z-]+)", text)) <= known


def test_no_runbook_without_alert():
    """A runbook whose alert is gone misleads."""
    assert {path.stem for path in (ROOT / "runbooks").glob("*.md")} == set(ALERTS)


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_rule_names_known_metrics(rule):
    """A rule over a metric that nobody publishes would be silent for ever."""
    expression = re.sub(r'"[^"]*"', "", rule["expr"])
    names = set(re.findall(r"\b(?:fleet_\w+|(?:fleet|node):[\w:]+)", expression))

    assert names <= {*SPEC_BY_SERIES, *MASTER_METRICS, *CONTROL_METRICS, *RECORDED}


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_thresholds_are_settings(rule):
    """What a rule falls back to without a master is the default of the catalogue."""
    used = re.findall(r'fleet_threshold\{key="(\w+)"\}\) or vector\(([\d.e]+)\)', rule["expr"])
    settings = {s["key"]: s for s in json.loads(SETTINGS.read_text()) if s.get("is_threshold")}

    assert len(used) == rule["expr"].count("fleet_threshold")
    assert {key: float(value) for key, value in used} == {
        key: settings[key]["default"] for key, _ in used
    }


def test_every_threshold_is_used():
    """A threshold that no rule reads would be set in vain."""
    used = {key for rule in ALL_RULES for key in re.findall(r'key="(\w+)"', rule["expr"])}

    assert used == {s["key"] for s in json.loads(SETTINGS.read_text()) if s.get("is_threshold")}


def test_critical_rules_are_evaluated_each_second():
    """What cannot wait is looked at every second, and goes on for a moment when it ends."""
    for path in RULES:
        for group in read_groups(path):
            for rule in group["rules"]:
                if rule.get("labels", {}).get("severity") == "critical":
                    assert group["interval"] == "1s", rule["alert"]
                    assert "keep_firing_for" in rule, rule["alert"]


def test_every_rule_is_documented():
    """README has a row for each alert and each recorded series, and none that is gone."""
    rows = re.findall(r"^\| `([\w:]+)`", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert set(rows) == {*ALERTS, *RECORDED}
