"""Six faults of a twin fleet, of six subjects: each alert fires, is mailed once, and clears."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.acceptance
# Machines, hardware, queue, database, stop, and the watchers themselves; those that clear soon.
DRILLS = (
    "exporter-frozen", "gpu-lost", "jobs-failing", "database-frozen", "emergency-stop", "no-fault",
)  # fmt: skip


def test_six_faults_reach_people(twin):
    """The command says so itself: it exits with 1 when an alert is missed or a mail doubled."""
    twin.run("up", "--twin", "10", "--no-first-job")

    said = twin.run("twin", "rehearse", "alerts", "--only", *DRILLS).stdout

    assert "7 alerts fired, were mailed and cleared" in said
    twin.run("down")
    assert twin.processes() == {}
