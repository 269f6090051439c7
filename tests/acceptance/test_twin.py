"""A fleet out of nothing: `up --twin 3`, a fault that Prometheus sees, and back."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.acceptance
SEEN = 30  # seconds; a scrape and a tick take five each, a busy machine needs more


def test_a_twin_is_a_fleet_whose_machines_can_be_hurt(twin):
    """Three nodes are scraped and stored as real ones; a fault shows in its series and clears."""
    twin.run("up", "--twin", "3", "--no-first-job")
    services = twin.services()
    assert services["twin"]["reason"] == "3 of 3 simulated nodes run"
    assert services["node"] == {
        "state": "absent", "url": None, "pid": None, "reason": "simulated by the twin"
    }  # fmt: skip
    up = 'sum(up{job="fleet-node"})'
    twin.wait_for("three targets", lambda: twin.prometheus(up) == 3, SEEN)
    nodes = "SELECT count(DISTINCT node) FROM analytics.hardware"
    twin.wait_for("readings of three", lambda: twin.number(nodes) == 3, SEEN)

    lost = 'sum(up{node="epyc-1"}) == 0'
    twin.run("twin", "fault", "node-gone", "epyc-1")
    twin.wait_for("the node to be gone", lambda: twin.prometheus(lost) == 0, SEEN)
    assert twin.prometheus(up) == 2
    twin.run("twin", "clear")
    twin.wait_for("the node to be back", lambda: twin.prometheus(up) == 3, SEEN)

    twin.run("up", "--no-first-job")
    assert twin.services()["twin"]["reason"] == "3 of 3 simulated nodes run"
    twin.run("down")
    assert twin.processes() == {}
