"""All errors of the launcher; each message names the value and the remedy."""

from __future__ import annotations

from fleet_timescale.errors import FleetError


class StackError(FleetError):
    """The launcher could not do what was asked."""


class HomeError(StackError):
    """The home of the fleet cannot be used."""


class PortError(StackError):
    """A port that the fleet needs is taken."""


class StartError(StackError):
    """Something that the launcher started did not become healthy."""


class CheckError(StackError):
    """A check of `./fleet test` failed."""
