"""
Read what may be slow or hang in a background thread; the tick uses the last result.

Serves sensor families and activity signals. A reading that hangs keeps its thread and is reported
as an error once its deadline has passed; no second thread is started for it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from fleet_exporters.errors import NoDevice, SensorError

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")

ABSENT_SECONDS = 60.0  # how often we look again for devices that this machine does not have


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """The result of the last reading: a value or an error; neither before the first one ended."""

    value: Value | None = None
    error: Exception | None = None
    seconds: float = 0.0


class BackgroundReader(Generic[Value]):
    """
    Calls `read` every `period` seconds; `latest()` never waits.

    A reading that takes longer than `deadline` seconds is an error until it ends. After NoDevice
    the next one starts after `absent_period`.
    """

    def __init__(
        self,
        read: Callable[[], Value],
        period: float,
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
        absent_period: float = ABSENT_SECONDS,
    ) -> None:
        self._read = read
        self._period = period
        self._deadline = deadline
        self._absent_period = absent_period
        self._clock = clock
        # Replaced as a whole, so that no lock is needed.
        self._outcome: Outcome[Value] = Outcome()
        self._asked_at: float | None = None

    def start(self, name: str, stop: threading.Event) -> None:
        """Start reading until `stop`. A daemon: a hung driver must not keep the program alive."""
        threading.Thread(target=self._run, args=(stop,), name=name, daemon=True).start()

    def latest(self) -> Outcome[Value]:
        """Return the result of the last reading, or an error if the present one is overdue."""
        asked_at = self._asked_at
        waited = 0.0 if asked_at is None else self._clock() - asked_at
        if waited > self._deadline:
            return Outcome(error=SensorError(f"no answer for {waited:.0f} s"), seconds=waited)
        return self._outcome

    def read_once(self) -> Outcome[Value]:
        """Read now, in the calling thread, and keep the outcome."""
        self._asked_at = started = self._clock()
        value, error = None, None
        try:
            value = self._read()
        except Exception as exc:  # noqa: BLE001 - drivers raise what they like; reported by latest()
            error = exc
        self._outcome = Outcome(value, error, self._clock() - started)
        self._asked_at = None
        return self._outcome

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            is_absent = isinstance(self.read_once().error, NoDevice)
            period = self._absent_period if is_absent else self._period
            # All readers wake at the same moments: one wake-up of the processor serves them all.
            stop.wait(period - self._clock() % period)
