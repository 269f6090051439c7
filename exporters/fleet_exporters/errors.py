"""What can go wrong in the exporter: nothing there, or something there that is broken."""

from __future__ import annotations

from fleet_timescale.errors import FleetError


class ExporterError(FleetError):
    """The exporter could not start or read."""


class NoDevice(ExporterError):  # noqa: N818 - a fact about the machine, not a fault
    """This machine has no such device; its metrics are absent."""


class SensorError(ExporterError):
    """The device is there and does not answer as it should."""


class CountersError(ExporterError):
    """The worker's counters cannot be read."""


class FrameError(ExporterError):
    """A tick in the spool is not as it was written."""


class RunningError(ExporterError):
    """Another exporter of this node runs."""
