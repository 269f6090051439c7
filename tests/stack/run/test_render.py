"""What the launcher puts into the configuration of others."""

from __future__ import annotations

import pytest
from fleet_stack.run.render import decide_sslmode


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ("", "disable"),
        ("?sslmode=prefer", "disable"),
        ("?connect_timeout=3&sslmode=require", "require"),
        ("?sslmode=verify-full", "verify-full"),
    ],
)
def test_panels_reach_the_database_as_its_address_says(options, mode):
    """A server that insists on TLS answers nothing else; Grafana knows no `prefer`."""
    assert decide_sslmode(f"postgresql://me:pw@db.lan/fleet{options}") == mode
