"""
When a worker stops handing tasks to a model server that fails, and when it asks again. Pure.

A circuit breaker: it opens after failures in a row, whatever they look like, and while it is open
the worker claims nothing. After a growing wait one canary call is made; only an answer closes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FAILURES_MAX = 3  # in a row; a fleet loses no more than these claims to a sick node
WAIT_MIN_SECONDS = 1.0
WAIT_MAX_SECONDS = 300.0


@dataclass(frozen=True)
class Circuit:
    """
    How a worker stands with its model server.

    `failures` are those in a row, `waits` those since a conversation was last written: a server
    whose canary calls succeed while every conversation fails is asked less and less often too.
    """

    failures: int = 0
    waits: int = 0
    is_open: bool = False

    def after_failure(self) -> Circuit:
        """Return the circuit after a failed attempt at a conversation."""
        failures = self.failures + 1
        return replace(self, failures=failures, is_open=failures >= FAILURES_MAX)

    def after_canary(self, *, has_answered: bool) -> Circuit:
        """Return the circuit after a canary call; when it closes, one more failure reopens it."""
        if not has_answered:
            return replace(self, waits=self.waits + 1, is_open=True)
        failures = min(self.failures, FAILURES_MAX - 1)
        return Circuit(failures, self.waits + self.is_open, is_open=False)

    def decide_wait(self, jitter: float) -> float:
        """Return seconds until the next canary call: 1, 2, 4 … 300, times 0.5 to 1.5."""
        doubled = WAIT_MIN_SECONDS * float(2 ** min(self.waits, 20))
        return min(WAIT_MAX_SECONDS, doubled) * (0.5 + jitter)
