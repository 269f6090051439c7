"""`./fleet test`: what reaches the tests, and which skips CI accepts."""

from __future__ import annotations

import subprocess
import sys

import pytest
from fleet_stack.commands import testing
from fleet_stack.commands.progress import Progress
from fleet_stack.commands.skips import is_good
from fleet_stack.commands.testing import Check
from fleet_stack.home.errors import CheckError

PASSING = "def test_runs():\n    assert True\n"
SKIPPING = "import pytest\n@pytest.mark.skip(reason={reason!r})\ndef test_skips():\n    pass\n"


def test_settings_of_a_fleet_do_not_reach_the_tests():
    """Whoever works inside `eval $(./fleet env)` tests the checkout, not the running fleet."""
    environ = {
        "PATH": "/bin",
        "FLEET_HOME": "/srv/fleet",
        "FLEET_ADMIN_TOKEN": "x",
        "FLEET_TEST_DSN": "y",
        "FLEET_GRAFANA_HOME": "/opt/grafana",
        "FLEET_OFFLINE": "1",
    }

    assert {"PATH", "FLEET_TEST_DSN", "FLEET_GRAFANA_HOME", "FLEET_OFFLINE"} == set(
        testing.clean_environment(environ)
    )


def test_all_failing_checks_are_named(capsys):
    """One run shows all faults."""
    checks = [
        Check("first", (sys.executable, "-c", "print('wrong here'); raise SystemExit(1)")),
        Check("second", (sys.executable, "-c", "pass")),
        Check("third", (sys.executable, "-c", "raise SystemExit(2)")),
    ]

    with pytest.raises(CheckError, match="first, third failed"):
        testing.run_checks(checks, {}, Progress(0))
    assert "wrong here" in capsys.readouterr().out


def test_tools_have_their_plain_names(tmp_path):
    """Debian calls Alertmanager prometheus-alertmanager; tests do not care."""
    tool = tmp_path / "prometheus-alertmanager"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)
    folder = tmp_path / "links"
    folder.mkdir()
    path = testing.link_tools({"alertmanager": tool}, folder, "/bin:/usr/bin")
    said = subprocess.run(
        ["alertmanager"], env={"PATH": path}, capture_output=True, text=True, check=True
    )

    assert said.stdout == "found\n"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Grafana cannot be had here", True),
        ("FLEET_TEST_SMTP is not set", True),
        ("promtool is missing", False),
        ("", False),
    ],
)
def test_reasons_that_ci_accepts(reason, expected):
    """Everything else is a test that silently stopped testing."""
    assert expected == is_good(reason)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (PASSING, 0),
        (PASSING + SKIPPING.format(reason="Grafana is absent"), 0),
        (PASSING + SKIPPING.format(reason="no promtool"), 1),
        ("import pytest\npytest.skip('no database', allow_module_level=True)\n", 5),
    ],
    ids=["no skip", "good skip", "bad skip", "bad module skip"],
)
def test_bad_skip_fails_a_run(tmp_path, text, code):
    """pytest itself would call it a success."""
    (tmp_path / "test_some.py").write_text(text + "\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "fleet_stack.commands.skips",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, "."], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert code == done.returncode, done.stdout
