"""What can go wrong between master, node agent and worker."""

from __future__ import annotations

from fleet_timescale.errors import FleetError


class OrchestratorError(FleetError):
    """A job, a task or a scenario could not be handled."""


class ScenarioError(OrchestratorError):
    """A scenario file cannot be used."""
