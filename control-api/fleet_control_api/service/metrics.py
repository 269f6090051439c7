"""The control API's own metrics, in a registry of each application."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from fleet_control_api.service.certificate import read_expiry

if TYPE_CHECKING:
    from pathlib import Path


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
        self.database_up = Gauge(
            "fleet_database_up",
            "1 if the database answers this program, 0 if it does not (master, control API).",
            registry=self.registry,
        )
        for gauge in (self.audit_rows, self.audit_head, self.database_up):
            gauge.set(math.nan)  # not known yet: a 0 would look like an emptied log

    def watch_certificate(self, certificate: str, file: Path) -> None:
        """Tell when the first certificate of a file expires; the file is read at each scrape."""
        gauge = Gauge(
            "fleet_certificate_expiry_timestamp_seconds",
            "When the certificate that a program shows expires, Unix time; NaN: unreadable.",
            ["certificate"],
            registry=self.registry,
        )
        gauge.labels(certificate).set_function(lambda: read_expiry(file))

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self.registry)
