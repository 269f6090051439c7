"""Simulated machines under a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from fleet_exporters.collectors.clock import Clock
from fleet_exporters.decision.verdict import Decider, describe
from fleet_exporters.reading.sampler import Sampler
from fleet_twin.machine.kinds import list_places
from fleet_twin.machine.simulation import make_machine
from fleet_twin.sensors import make_families
from fleet_twin.signals import read_signals

PLACES = {place.kind.name: place for place in list_places(5)}
# A Wednesday; nobody plays at four in the morning, and no stretch of weather ends within an hour.
BEGIN = datetime(2026, 11, 25, 4, tzinfo=UTC)


@dataclass
class Run:
    """One machine, the exporter's own sampler and decision over it, and the time so far."""

    kind: str
    faults: frozenset[str] = frozenset()
    writes: bool = True
    begin: datetime = BEGIN
    seconds: float = 0.0
    answers: dict = field(default_factory=dict)

    def __post_init__(self):
        self.machine = make_machine(PLACES[self.kind], "tests")
        self.machine.faults = self.faults
        families = make_families(self.machine, Clock(), lambda: self.seconds)
        self.sampler = Sampler(families, clock=lambda: 0.0)
        self.decider = Decider(lambda: read_signals(self.machine), clock=lambda: self.seconds)

    def go(self, seconds):
        """Let so much time pass, the model server writing all the while if it may."""
        for _ in range(int(seconds)):
            self.seconds += 1
            allowed = self.verdict.throttle_factor if self.answers else 1.0
            busy = 1.0 if self.writes and allowed else 0.0
            tokens = int(busy * self.machine.tokens_per_second)
            at = self.begin + timedelta(seconds=self.seconds)
            self.machine.advance(self.seconds, at, busy, tokens)
            if self.seconds % 5 == 0:
                self.read()
        return self.answers

    def read(self):
        """Take a tick; keep each series by its name and labels."""
        samples = self.sampler.sample()
        self.verdict = self.decider.decide(samples)
        self.answers = {
            (sample.name, *sample.labels.values()): sample.value
            for sample in (*samples, *describe(self.verdict))
        }

    def value(self, *series):
        return self.answers[series]
