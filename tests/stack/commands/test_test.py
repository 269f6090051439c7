"""`./fleet test`: what reaches the tests, and which skips CI accepts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fleet_stack.commands import test
from fleet_stack.commands.progress import Progress
from fleet_stack.commands.test import Check
from fleet_stack.home.errors import CheckError
from skips import is_good

TESTS = Path(__file__).parents[2]
SKIPPING = "import pytest\n@pytest.mark.skip(reason={reason!r})\ndef test_skips():\n    pass\n"
SKIPPING_MODULE = "import pytest\npytest.skip('no database', allow_module_level=True)\n"


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
        test.clean_environment(environ)
    )


def test_all_failing_checks_are_named(capsys):
    """One run shows all faults."""
    checks = [
        Check("first", (sys.executable, "-c", "print('wrong here'); raise SystemExit(1)")),
        Check("second", (sys.executable, "-c", "pass")),
        Check("third", (sys.executable, "-c", "raise SystemExit(2)")),
    ]

    with pytest.raises(CheckError, match="first, third failed"):
        test.run_checks(checks, {}, Progress(0))
    assert "wrong here" in capsys.readouterr().out


def test_tools_have_their_plain_names(tmp_path):
    """Debian calls Alertmanager prometheus-alertmanager; tests do not care."""
    tool = tmp_path / "prometheus-alertmanager"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)
    folder = tmp_path / "links"
    folder.mkdir()
    path = test.link_tools({"alertmanager": tool}, folder, "/bin:/usr/bin")
    said = subprocess.run(
        ["alertmanager"], env={"PATH": path}, capture_output=True, text=True, check=True
    )

    assert said.stdout == "found\n"


@pytest.mark.parametrize(
    ("arguments", "cores", "workers"),
    [
        ([], 2, "4"),
        (["tests"], 1, "3"),
        (["tests", "tests/stack"], 64, "8"),
        (["tests/acceptance"], 64, str(len([*test.CHECKOUT.glob("tests/acceptance/test_*.py")]))),
        (["tests/stack", "-k", "ports"], 2, None),
        (["tests/stack/home/test_ports.py"], 2, None),
        (["-x"], 2, None),
    ],
)
def test_whole_folders_are_shared_out(arguments, cores, workers):
    """Workers take seconds to start, which a picked test would not win back."""
    planned = test.plan_pytest(arguments, cores)

    assert planned[len(planned) - len(arguments) :] == arguments
    assert workers == (planned[planned.index("-n") + 1] if "-n" in planned else None)


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
    ("text", "workers", "code"),
    [
        (SKIPPING.format(reason="Grafana is absent"), "0", 0),
        (SKIPPING.format(reason="no promtool"), "0", 1),
        (SKIPPING.format(reason="no promtool"), "2", 1),
        (SKIPPING_MODULE, "0", 1),
        (SKIPPING_MODULE, "2", 1),
    ],
    ids=["good skip", "skip", "skip in a worker", "module skip", "module skip in a worker"],
)
def test_bad_skip_fails_a_run(tmp_path, text, workers, code):
    """pytest itself would call it a success."""
    (tmp_path / "test_passing.py").write_text("def test_runs():\n    assert True\n")
    (tmp_path / "test_skipping.py").write_text(text)
    plugins = ["-p", "skips", "-p", "xdist", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--disable-plugin-autoload", *plugins, "-n", workers, "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert code == done.returncode, done.stdout
    assert code == done.stdout.count("which CI does not accept: test_skipping.py")
