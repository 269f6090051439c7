"""The control API's own metrics, in a registry of each application."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """Counters of requests, changes and requests without valid credentials."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "fleet_control_api_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.duration = Histogram(
            "fleet_control_api_request_duration_seconds",
            "Time from the request to its answer, or to the start of a stream.",
            ["route"],
            buckets=(0.005, 0.025, 0.1, 0.5, 2.5, 10),
            registry=self.registry,
        )
        self.attempts = Counter(
            "fleet_control_api_changes_total",
            "Attempts to change something, by how they ended.",
            ["action", "outcome"],
            registry=self.registry,
        )
        self.unauthenticated = Counter(
            "fleet_control_api_unauthenticated_total",
            "Requests without valid credentials to routes that need them.",
            registry=self.registry,
        )
        self.audit_rows = Gauge(
            "fleet_audit_rows",
            "Rows of the audit log, as of the last minute.",
            registry=self.registry,
        )
        self.audit_head = Gauge(
            "fleet_audit_head",
            "The first 48 bits of the hash of its last row, which stands for all rows.",
            registry=self.registry,
        )
        for gauge in (self.audit_rows, self.audit_head):
            gauge.set(math.nan)  # not known yet: a 0 would look like an emptied log

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self.registry)
