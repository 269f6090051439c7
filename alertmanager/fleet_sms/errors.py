"""The errors of the SMS bridge."""

from __future__ import annotations

from fleet_timescale.errors import FleetError


class SmsError(FleetError):
    """The SMS bridge cannot work."""
