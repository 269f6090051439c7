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


FULL = {
    "smtp_user": "me",
    "smtp_password_file": "/pw",
    "quiet_hours": [("22:00", "24:00"), ("00:00", "07:00")],
    "time_zone": "Europe/Berlin",
    "heartbeat_url": "https://hc-ping.example/1",
    "sms_url": "http://127.0.0.1:2/alerts",
    "sms_token_file": "/token",
    "sns_topic": "arn:aws:sns:eu-central-1:123456789012:alerts",
    "sns_url": "http://127.0.0.1:1",
}


@pytest.fixture
def full(render, tmp_path):
    """A configuration in which every setting is set."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(render(**FULL))
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


@pytest.mark.parametrize(
    "changes", [{}, {"dashboard_url": ""}, FULL], ids=["plain", "no grafana", "every setting"]
)
def test_config_is_valid(amtool, render, tmp_path, changes):
    """Alertmanager takes it, templates included."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(render(**changes))
    done = subprocess.run(
        [amtool, "check-config", path], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 templates" in done.stdout


@pytest.mark.parametrize(("alert", "severity"), sorted(read_severities().items()))
def test_alert_goes_to_the_receiver_of_its_severity(amtool, config, alert, severity):
    """Critical and warning are two receivers, since critical will reach phones as well."""
    receiver = "nobody" if severity == "none" else f"{severity}-mail"
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


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (["alertname=Watchdog", "severity=none"], "heartbeat"),
        (["alertname=Rehearsal", "severity=none"], "nobody"),
        (["alertname=GpuHot", "severity=critical"], "critical-sms,critical-sns,critical-mail"),
        (["alertname=YieldLow", "severity=warning"], "warning-mail"),
    ],
)
def test_every_way_is_a_receiver_of_its_own(amtool, full, labels, receivers):
    """What is critical goes all ways, what is none to no person."""
    done = subprocess.run(
        [amtool, "config", "routes", "test", f"--config.file={full}", *labels],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.stdout.strip() == receivers


def test_watchdog_reaches_nobody_without_a_heartbeat(amtool, config):
    """An alert that always fires is no mail."""
    command = [amtool, "config", "routes", "test", f"--config.file={config}"]
    done = subprocess.run(
        [*command, "alertname=Watchdog", "severity=none"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.stdout.strip() == "nobody"


def test_only_warnings_rest_in_quiet_hours(full):
    """A critical alert wakes people at any hour."""
    route = yaml.safe_load(full.read_text())["route"]
    muted = [one["receiver"] for one in route["routes"] if "mute_time_intervals" in one]

    assert muted == ["warning-mail"]


def test_held_back_alerts_exist(config):
    """An inhibition of a name that no rule has holds back nothing."""
    text = str(yaml.safe_load(config.read_text())["inhibit_rules"])
    names = re.findall(r"[A-Z]\w+\b(?!\.)", text)

    assert set(names) - read_severities().keys() == set()


def test_receivers_are_documented(full):
    """README has a row for each receiver, and none that is gone."""
    readme = (ROOT / "alertmanager" / "README.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)`", readme.partition("\n## ")[0], re.MULTILINE)

    assert set(rows) == {one["name"] for one in yaml.safe_load(full.read_text())["receivers"]}
