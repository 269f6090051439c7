"""The error of settings that say how people are told."""

from __future__ import annotations

from fleet_timescale.errors import FleetError


class PagingError(FleetError):
    """A setting of mails or text messages cannot be used."""
