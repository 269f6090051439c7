"""
A pytest plugin for CI: a skipped test fails the run, for nobody would notice that it stopped.

Three reasons are good: Grafana cannot be had everywhere, containers may have no network namespaces
(the same is tested over a proxy), and what an unset FLEET_TEST_* would name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

GOOD_REASONS = ("grafana", "no network namespaces", "fleet_test_")


def is_good(reason: str) -> bool:
    """True for a skip that CI accepts."""
    return any(good in reason.lower() for good in GOOD_REASONS)


def read_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why a test was skipped."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    return str(report.longrepr)


class SkipPolicy:
    """Collects the skips of a run and turns bad ones into a failure."""

    def __init__(self) -> None:
        self.bad: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skipped test."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that skipped itself."""
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        is_expected_failure = hasattr(report, "wasxfail")
        if report.skipped and not is_expected_failure and not is_good(read_reason(report)):
            self.bad.append(f"{report.nodeid}: {read_reason(report)}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run when a test was skipped that should have run."""
        if self.bad and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Say which skips failed the run."""
        for line in self.bad:
            terminalreporter.write_line(f"skipped, which CI does not accept: {line}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Take part in the run."""
    config.pluginmanager.register(SkipPolicy())
