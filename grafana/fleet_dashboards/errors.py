"""What can go wrong while a dashboard is built."""

from __future__ import annotations

from fleet_timescale.errors import FleetError


class DashboardError(FleetError):
    """The dashboard as described would not be shown as meant."""
