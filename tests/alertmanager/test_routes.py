"""The configuration is valid, and each alert goes where it should."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(render, tmp_path):
    path = tmp_path / "alertmanager.yml"
    path.write_text(render())
    return path


def read_severities():
    """Return the severity of every alert of the rule files."""
    return {
        rule["alert"]: rule["labels"]["severity"]
        for path in (ROOT / "prometheus" / "rules").glob("*.rules.yml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


@pytest.mark.parametrize("dashboard_url", ["http://127.0.0.1:3000", ""], ids=["grafana", "none"])
def test_config_is_valid(amtool, render, tmp_path, dashboard_url):
    """Alertmanager takes it, templates included, with and without Grafana."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(render(dashboard_url=dashboard_url))
    done = subprocess.run(
        [amtool, "check-config", path], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 templates" in done.stdout


@pytest.mark.parametrize(("alert", "severity"), sorted(read_severities().items()))
def test_alert_goes_to_the_receiver_of_its_severity(amtool, config, alert, severity):
    """Critical and warning are two receivers, since critical will reach phones as well."""
    receiver = "watchdog" if severity == "none" else f"{severity}-mail"
    done = subprocess.run(
        [
            amtool, "config", "routes", "test", f"--config.file={config}",
            f"--verify.receivers={receiver}",
            f"alertname={alert}", f"severity={severity}", "node=alpha",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_alert_of_unknown_severity_is_not_lost(amtool, config):
    """What no rule of ours raised is a warning."""
    command = [amtool, "config", "routes", "test", f"--config.file={config}", "alertname=Strange"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "warning-mail"


def test_receivers_are_documented():
    """README has a row for each receiver, and none that is gone."""
    rows = re.findall(
        r"^\| `([\w-]+)`", (ROOT / "alertmanager" / "README.md").read_text(), re.MULTILINE
    )

    assert set(rows) == {"watchdog", "critical-mail", "warning-mail"}
