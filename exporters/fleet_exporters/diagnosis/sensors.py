"""
Read every sensor family for the doctor: all at once, each with a deadline.

A sensor that hangs is broken and holds up nobody. A family is read twice: shares and rates need it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from fleet_exporters.diagnosis import by_hand
from fleet_exporters.diagnosis.finding import ABSENT, BROKEN, FOUND, Finding
from fleet_exporters.errors import ExporterError, NoDevice
from fleet_exporters.sampler import clean, is_possible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_exporters.sample import Read, Sample

DEADLINE_SECONDS = 10.0  # py-cpuinfo takes three; a driver that needs longer hangs
APART_SECONDS = 1.0  # between two readings, so that there is something to take a share of
POLL_SECONDS = 0.25  # for families that find out in the background


def examine(
    families: Mapping[str, Read],
    deadline_seconds: float = DEADLINE_SECONDS,
    apart_seconds: float = APART_SECONDS,
) -> list[Finding]:
    """Return what each family says now, in the families' order."""
    begun = [
        _Examination(name, read, apart_seconds, deadline_seconds) for name, read in families.items()
    ]
    ends = time.monotonic() + deadline_seconds
    return [examination.wait(max(0.0, ends - time.monotonic())) for examination in begun]


class _Examination:
    """Reads one family in a thread of its own."""

    def __init__(self, name: str, read: Read, apart: float, deadline: float) -> None:
        self._name = name
        self._read = read
        self._apart = apart
        self._deadline = deadline
        self._finding: Finding | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"doctor {name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        finding = examine_family(self._name, self._read)
        pause = self._apart
        # Without a device there is nothing to read twice; what broke is told as it is.
        while finding.state == FOUND and not self._stop.wait(pause):
            finding = examine_family(self._name, self._read)
            if finding.samples:
                break
            pause = POLL_SECONDS
        self._finding = finding

    def wait(self, seconds: float) -> Finding:
        """Return what was found so far; a family that has not answered at all is broken."""
        self._thread.join(seconds)
        self._stop.set()
        if self._finding is None:
            # Between two polls the thread ends at once; one inside a driver does not.
            self._thread.join(POLL_SECONDS)
        return self._finding or Finding(
            self._name,
            BROKEN,
            f"does not answer within {self._deadline:g} s",
            by_hand=by_hand.find(self._read),
        )


def examine_family(name: str, read: Read) -> Finding:
    """Read a family once; keep what it gave before it failed."""
    samples: list[Sample] = []
    state, reason = FOUND, ""
    try:
        for sample in read():
            samples.append(sample)  # noqa: PERF402 - one by one, what came before a fault is kept
    except NoDevice as exc:
        state, reason = ABSENT, str(exc)
    except Exception as exc:  # noqa: BLE001 - drivers raise what they like
        state = BROKEN
        reason = str(exc) if isinstance(exc, ExporterError) else f"{type(exc).__name__}: {exc}"
    seen: set[tuple[str, ...]] = set()
    kept = tuple(sample for sample in map(clean, samples) if is_possible(sample, seen))
    dropped = len(samples) - len(kept)
    if dropped:
        reason = "; ".join(
            filter(None, [reason, f"{dropped} impossible value{'s'[: dropped - 1]} left out"])
        )
    return Finding(name, state, reason, kept, by_hand.find(read))
