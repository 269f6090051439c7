"""What the bridge counts, on a page of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

OUTCOMES = ("sent", "refused", "expired")
FATES = ("queued", "repeated", "held_back")


class Metrics:
    """The series of one bridge."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.sent = Counter(
            "fleet_sms_sent_total",
            "Text messages that are done: sent, refused by the provider, or expired unsent.",
            ["outcome"],
            registry=self.registry,
        )
        self.taken = Counter(
            "fleet_sms_notices_total",
            "Notices of Alertmanager: queued, repeated (dropped), or held back by the cap.",
            ["fate"],
            registry=self.registry,
        )
        self.failed_tries = Counter(
            "fleet_sms_failed_tries_total",
            "Calls to the provider that failed and are tried again.",
            registry=self.registry,
        )
        self.errors = Counter(
            "fleet_sms_errors_total", "Rounds that ended in an error.", registry=self.registry
        )
        self.waiting = Gauge(
            "fleet_sms_waiting", "Text messages that are to be sent.", registry=self.registry
        )
        self.untold = Gauge(
            "fleet_sms_unwritten",
            "Text messages that are done, but not in the database yet.",
            registry=self.registry,
        )
        # From the start, so that a rate has a beginning.
        for outcome in OUTCOMES:
            self.sent.labels(outcome)
        for fate in FATES:
            self.taken.labels(fate)
