"""
Look at everything at once, each in a thread of its own, with one deadline for all.

What hangs is broken and holds up nobody. Everything is looked at twice: shares and rates need it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_exporters.diagnosis.finding import BROKEN, FOUND, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEADLINE_SECONDS = 10.0  # a driver that needs longer hangs
PATIENCE_SECONDS = 5.0  # for what finds out in the background; py-cpuinfo takes three
APART_SECONDS = 1.0  # between two looks, so that there is something to take a share of
POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Probe:
    """Something to look at."""

    name: str
    look: Callable[[], Finding]
    by_hand: str
    #: look again for PATIENCE_SECONDS until there are values
    is_patient: bool = False


def examine(
    probes: Iterable[Probe],
    deadline_seconds: float = DEADLINE_SECONDS,
    apart_seconds: float = APART_SECONDS,
) -> list[Finding]:
    """Return what each probe finds, in their order."""
    begun = [_Examination(probe, apart_seconds) for probe in probes]
    ends = time.monotonic() + deadline_seconds
    for examination in begun:
        examination.wait(max(0.0, ends - time.monotonic()))
    return [examination.end(deadline_seconds) for examination in begun]


class _Examination:
    def __init__(self, probe: Probe, apart_seconds: float) -> None:
        self._probe = probe
        self._apart_seconds = apart_seconds
        self._last: Finding | None = None
        self._stop = threading.Event()
        self._done = threading.Event()
        threading.Thread(target=self._run, name=f"doctor {probe.name}", daemon=True).start()

    def _run(self) -> None:
        self._last = self._probe.look()
        pause, until = self._apart_seconds, time.monotonic() + PATIENCE_SECONDS
        # Without a device there is nothing to look at twice; what broke is told as it is.
        while self._last.state == FOUND and not self._stop.wait(pause):
            self._last = self._probe.look()
            is_patient = self._probe.is_patient and time.monotonic() < until
            if self._last.has_values or not is_patient:
                break
            pause = POLL_SECONDS
        self._done.set()

    def wait(self, seconds: float) -> None:
        """Wait at most so long for the last look to end."""
        self._done.wait(seconds)

    def end(self, deadline_seconds: float) -> Finding:
        """Return what was found; what has not answered even once is broken."""
        self._stop.set()
        reason = f"does not answer within {deadline_seconds:g} s"
        missing = Finding(self._probe.name, BROKEN, reason, by_hand=self._probe.by_hand)
        return self._last or missing
