"""Pages of a simulated fleet: every metric of the catalogue, a master and a control API. Pure."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_control_api.service.metrics import Metrics
from fleet_exporters.catalogue import CATALOGUE
from fleet_exporters.sample import LIMITS, Sample
from fleet_exporters.sinks.page.text_format import render
from fleet_orchestrator.fleet_metrics import FleetCollector, Standing
from prometheus_client import CollectorRegistry, generate_latest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fleet_exporters.catalogue import MetricSpec

BEGAN = time.time() - 86400
TICK_SECONDS = 5.0  # of the exporter: a page tells what was read at the last tick
BUCKETS = ("0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "120", "+Inf")
# A large machine: with all of this a page has about 300 series.
LABELS = {
    "os": ("Linux-6.12",),
    "cpu_model": ("16 cores",),
    "machine": ("x86_64",),
    "version": ("1.0",),
    "mode": ("user", "system", "idle", "iowait"),
    "sensor": ("nvme", "board", "radio", "dimm0", "dimm1", "chipset", "wall"),
    "mount": ("/", "/home", "/var", "/models"),
    "device": ("disk0", "disk1", "disk2"),
    "peer": tuple(f"peer-{n:02d}" for n in range(20)),
    "outcome": ("ok", "error"),
    "reason": ("busy", "thermal_slowdown", "power_cap"),
    "gpu": ("0", "1"),
    "name": ("a graphics card",),
    "uuid": ("GPU-0",),
    "kind": ("prompt", "completion"),
    "zone": ("package-0", "dram"),
    "limit": LIMITS,
    "signal": ("games", "input", "windows", "power", "foreign_cpu"),
    "collector": ("cpu", "memory", "disk", "network", "temperatures", "gpu", "pi", "clock"),
    "model": ("tiny",),
    "prompt": ("0-511", "512-2047"),
    "state": ("ready", "loading", "unloaded", "no_model", "wedged", "unreachable"),
    "scenario": ("healthcare_billing", "complaint", "order_status", "returns", "outage"),
}
LABELS_OF = {
    ("fleet_cpu_temperature_celsius", "sensor"): ("package",),
    ("fleet_activity_mode", "mode"): ("idle", "work", "gaming", "throttling"),
    ("fleet_conversations_total", "outcome"): ("accepted", "rejected", "failed"),
    ("fleet_pi_throttled", "reason"): ("under_voltage", "throttled", "soft_temperature_limit"),
    ("fleet_quality_checks_total", "outcome"): ("passed", "failed"),
    ("fleet_turn_tries_total", "reason"): ("too_long",),
}
# Gauges of a machine on which all is well; any other ratio is a half, any other value 1e9.
VALUES = {
    "fleet_node_info": 1, "fleet_gpu_info": 1, "fleet_gpu_up": 1, "fleet_collector_up": 1,
    "fleet_activity_signal_known": 1, "fleet_llm_local": 1, "fleet_throttle_factor": 1,
    "fleet_pi_throttled": 0, "fleet_pi_throttled_since_boot": 0, "fleet_throttle_limit": 0,
    "fleet_llm_circuit_open": 0, "fleet_ingest_held_back": 0, "fleet_ingest_lag_seconds": 0.1,
    "fleet_clock_offset_seconds": 0.001, "fleet_spool_rows": 0, "fleet_spool_oldest_seconds": 0,
    "fleet_disk_total_bytes": 1.5e9, "fleet_model_disk_free_bytes": 9e9,
    "fleet_memory_total_bytes": 2e9, "fleet_gpu_memory_total_bytes": 24e9,
    "fleet_tick_late_seconds": 0.001, "fleet_collector_duration_seconds": 0.002,
}  # fmt: skip
ONE_OF = {"fleet_activity_mode": "work", "fleet_llm_state": "ready"}
# A healthy machine has none of these, or they stand still.
ABSENT = {"fleet_spool_lost_timestamp_seconds"}
STILL = {"fleet_spool_dropped_rows_total", "fleet_page_series_cut_total",
         "fleet_pi_throttled_seconds_total", "fleet_gpu_throttle_seconds_total"}  # fmt: skip
SELDOM = {"rejected", "failed", "error"}


@dataclass(frozen=True)
class Change:
    """Series whose labels include these tell something else than on a healthy machine."""

    metric: str
    labels: Mapping[str, str]
    value: float


def render_node(now: float, number: int, changes: tuple[Change, ...] = ()) -> bytes:
    """Return the page of a node as its exporter would have rendered it at that time."""
    samples = []
    for sample in make_samples(now, number):
        value = sample.value
        for change in changes:
            if change.metric == sample.name and change.labels.items() <= sample.labels.items():
                value = change.value
        samples.append(Sample(sample.name, sample.labels, value))
    return render(samples)


def make_samples(now: float, number: int) -> Iterator[Sample]:
    """Yield all that a node tells; its number makes it differ from others."""
    for spec in CATALOGUE.values():
        if spec.name in ABSENT:
            continue
        choices = [LABELS_OF.get((spec.name, label), LABELS[label]) for label in spec.labels]
        for place, values in enumerate(itertools.product(*choices)):
            labels = dict(zip(spec.labels, values, strict=True))
            if spec.kind == "histogram":
                yield from make_histogram(spec, labels, now)
            elif spec.kind == "counter":
                speed = 0 if spec.name in STILL else 1.0 + (place + number) % 5
                speed *= 0.05 if SELDOM.intersection(values) else 1
                yield Sample(spec.name, labels, (now - BEGAN) * speed)
            else:
                yield Sample(spec.name, labels, decide_gauge(spec, values, now, number + place))


def decide_gauge(spec: MetricSpec, values: tuple[str, ...], now: float, number: int) -> float:
    """Return a value that moves as a real one does, and is no reason for an alert."""
    if spec.name.endswith("timestamp_seconds"):
        return now
    if spec.name in ONE_OF:
        return float(values == (ONE_OF[spec.name],))
    if spec.name in VALUES:
        return VALUES[spec.name]
    wave = math.sin(now / 30 + number)
    if spec.name.endswith("_celsius"):
        return round(55 + 10 * wave, 1)
    if spec.name.endswith("_ratio"):
        return round(0.5 + 0.3 * wave, 4)
    return round(1e9 + 1e8 * wave)


def make_histogram(spec: MetricSpec, labels: dict[str, str], now: float) -> Iterator[Sample]:
    """Yield one call in ten seconds, most of two to five seconds."""
    calls = (now - BEGAN) // 10
    for place, bound in enumerate(BUCKETS, 1):
        share = min(1.0, place / 6)
        yield Sample(f"{spec.name}_bucket", {**labels, "le": bound}, calls * share // 1)
    yield Sample(f"{spec.name}_sum", labels, calls * 3)
    yield Sample(f"{spec.name}_count", labels, calls)


@dataclass
class Center:
    """The programs beside the nodes: a leading master, and a control API whose database answers."""

    nodes: list[str]
    heartbeat_seconds: float = 5.0
    silent_since: dict[str, float] = field(default_factory=dict)
    _collector: FleetCollector = field(default_factory=FleetCollector)
    _registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    _control: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self._registry.register(self._collector)
        self._control.audit_rows.set(1000)
        self._control.database_up.set(1)

    def render_master(self, now: float) -> bytes:
        """Return the real page of a master that has just looked at these nodes."""
        self._collector.note_database(answers=True)
        self._collector.note_levels()
        self._collector.publish(
            Standing(
                jobs={"running": 5},
                tasks={"pending": 1000, "running": len(self.nodes), "done": 5000},
                nodes={"online": len(self.nodes)},
                heartbeats={
                    node: self._beat(place, self.silent_since.get(node, now))
                    for place, node in enumerate(self.nodes)
                },
                expected=dict.fromkeys(self.nodes, True),
                duplicated={},
                state="running",
                thresholds={},
                failed_over_at=0,
                unacknowledged=0,
            )
        )
        return generate_latest(self._registry)

    def render_control(self) -> bytes:
        """Return the real page of a control API."""
        return self._control.render()

    def _beat(self, place: int, until: float) -> float:
        """Return when a node sent its last heartbeat; each has its own moment within the period."""
        phase = place * self.heartbeat_seconds / len(self.nodes)
        return until - (until - phase) % self.heartbeat_seconds
