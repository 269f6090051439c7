"""
`fleet test [PYTEST ARGUMENTS]`: every check and every test, what fails fastest first.

With arguments only pytest runs, with them. Whole folders are shared out among several processes;
files and picked tests run in one. Settings of a fleet of yours never reach the tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.commands.progress import Progress, begin
from fleet_stack.home import CHECKOUT, CheckError, placement
from fleet_stack.parts import programs

if TYPE_CHECKING:
    from collections.abc import Mapping

# Settings that say where something is, rather than what to test.
KEPT = ("FLEET_GRAFANA_HOME", "FLEET_PROMETHEUS_HOME", "FLEET_ALERTMANAGER_HOME", "FLEET_OFFLINE")
KEPT_PREFIX = "FLEET_TEST_"
WORKERS_MAX = 8
YAML_FOLDERS = ("prometheus", "alertmanager", "grafana", "tests")


@dataclass(frozen=True)
class Check:
    """One tool to run over the checkout."""

    title: str
    command: tuple[str, ...]


def main(argv: list[str]) -> int:
    """Run the checks, then the tests. Raises CheckError naming what failed."""
    progress = begin()
    environment = clean_environment(os.environ)
    with tempfile.TemporaryDirectory(prefix="fleet-tools-") as folder:
        if not argv:
            run_checks(plan_checks(sys.executable), environment, progress)
        tools = programs.find_tools(environment, progress)
        environment["PATH"] = link_tools(tools, Path(folder), environment.get("PATH", os.defpath))
        run_pytest(plan_pytest(argv, os.cpu_count() or 1), environment)
    progress("every test passed")
    return 0


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the settings of any fleet."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("FLEET_") or name in KEPT or name.startswith(KEPT_PREFIX)
    }


def plan_checks(python: str) -> list[Check]:
    """Return the checks that come before the tests."""
    folders = [folder for folder in YAML_FOLDERS if (CHECKOUT / folder).is_dir()]
    return [
        Check("ruff check", (python, "-m", "ruff", "check", ".")),
        Check("ruff format", (python, "-m", "ruff", "format", "--check", ".")),
        Check("mypy", (python, "-m", "mypy")),
        Check("yamllint", (python, "-m", "yamllint", "--strict", *folders)),
    ]


def run_checks(checks: list[Check], environment: Mapping[str, str], progress: Progress) -> None:
    """Run all checks, so that one look shows all faults. Raises CheckError when any failed."""
    failed = []
    for check in checks:
        began = time.monotonic()
        done = subprocess.run(
            check.command,
            cwd=CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        passed = done.returncode == 0
        seconds = time.monotonic() - began
        progress(f"{check.title:<14}{'passed' if passed else 'FAILED'} in {seconds:.1f} s")
        if not passed:
            failed.append(check.title)
            progress.plain(f"{done.stdout}{done.stderr}".rstrip())
    if failed:
        raise CheckError(f"{', '.join(failed)} failed; what is wrong stands above")


def plan_pytest(arguments: list[str], cores: int) -> list[str]:
    """Return the arguments of pytest for those of the user, with workers for whole folders."""
    folders = [CHECKOUT / argument for argument in arguments or ["tests"]]
    if not all(folder.is_dir() for folder in folders):
        return arguments
    files = {path for folder in folders for path in folder.rglob("test_*.py")}
    # More than there are cores: many tests wait for the programs that they start.
    workers = min(cores + 2, WORKERS_MAX, len(files))
    return ["-n", str(workers), "--durations", "10", *arguments]


def link_tools(tools: Mapping[str, Path], folder: Path, path: str) -> str:
    """Return a PATH on which programs have their plain names, whatever Debian calls them."""
    for name, target in tools.items():
        (folder / name).symlink_to(target)
    return os.pathsep.join([str(folder), str(placement.find_package() / "pginstall" / "bin"), path])


def run_pytest(arguments: list[str], environment: Mapping[str, str]) -> None:
    """Run pytest with its output as it comes. Raises CheckError when a test failed."""
    command = (sys.executable, "-m", "pytest", *arguments)
    code = subprocess.run(command, cwd=CHECKOUT, env=environment, check=False).returncode
    if code != 0:
        raise CheckError(f"pytest ended with exit code {code}; what failed stands above")
