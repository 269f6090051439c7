"""The state of the fleet, its nodes, and the health of the control API."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, RootModel

from fleet_control_api.values.fields import Answer, Request, Text
from fleet_control_api.values.paging import Listing


class Why(Request):
    """Why something is changed."""

    reason: Text | None = Field(None, description="Why, for the audit log.")


class FleetState(Answer):
    """Whether the fleet runs, since when and by whom."""

    state: str = Field(description="running, paused, or stopped in an emergency.")
    changed_at: datetime
    changed_by: str
    reason: str


class FleetChange(Answer):
    """What a pause or resume did."""

    state: str = Field(description="running or paused.")
    changed: bool = Field(description="False when it was in this state already.")
    by: str
    reason: str


class Node(Answer):
    """A node with its latest readings; null where it has no such sensor."""

    node: str
    state: str = Field(description="online, stale or offline.")
    silent: str | None = Field(description="agent, exporter, or agent and exporter.")
    role: str
    mode: str | None
    throttle_factor: float | None
    cpu_utilization_ratio: float | None
    cpu_temperature_celsius: float | None
    gpu_temperature_celsius: float | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    tokens_per_second: float | None
    jobs_done: int
    worker_state: str
    is_expected: bool
    agent_version: str | None
    settings_version: int | None
    enrolled_at: datetime
    last_heartbeat_at: datetime | None


class Nodes(Listing):
    """The enrolled nodes."""

    nodes: list[Node]


class Target(Answer):
    """A scrape target of Prometheus."""

    targets: list[str]
    labels: dict[str, str]


class Targets(RootModel[list[Target]]):
    """The scrape targets, as Prometheus' http_sd reads them."""


class Health(Answer):
    """That the control API and its database answer."""

    state: str
    database: str
