"""Decide at each tick what the worker may do; keeps the state that the decision needs."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from fleet_exporters.decision.activity import Activity, Signals, decide_activity, name_game
from fleet_exporters.decision.rules import Rules
from fleet_exporters.decision.throttle import (
    Heat,
    decide,
    decide_heat,
    find_sleeping,
    read_thermometers,
)
from fleet_exporters.sample import LIMITS, MODES, Sample, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)


class Decider:
    """Keeps heat and activity of the previous tick; logs changes of the verdict."""

    def __init__(
        self,
        read_signals: Callable[[], Signals] = Signals,
        read_rules: Callable[[], Rules] = Rules,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_signals = read_signals
        self._read_rules = read_rules
        self._clock = clock
        self._heat: dict[str, Heat] = {}
        self._activity = Activity()
        self._told: tuple[object, ...] = ()

    def sees_new_game(self) -> bool:
        """Tell whether a signal names a game that the last verdict did not know of."""
        return self._activity.mode != "gaming" and bool(name_game(self._read_signals()))

    def decide(self, readings: Sequence[Sample]) -> Verdict:
        """Return the verdict for these readings and the current signals and settings."""
        now, rules, signals = self._clock(), self._read_rules(), self._read_signals()
        sleeping = find_sleeping(readings)
        heat = {sensor: seen for sensor, seen in self._heat.items() if sensor not in sleeping}
        self._heat = decide_heat(heat, read_thermometers(readings), now, rules)
        self._activity = decide_activity(self._activity, signals, now)
        verdict = decide(self._heat, self._activity, signals, now, rules)
        told = (verdict.mode, verdict.throttle_factor, verdict.limits)
        if told != self._told:
            self._told = told
            extra = {
                "mode": verdict.mode,
                "throttle_factor": verdict.throttle_factor,
                "reason": verdict.reason,
                "unknown_signals": signals.unknown,
            }
            logger.info("mode or throttle factor has changed", extra=extra)
        return verdict


def describe(verdict: Verdict) -> list[Sample]:
    """Return the samples of a verdict: mode, throttle factor, limits and known signals."""
    modes = [
        Sample("fleet_activity_mode", {"mode": mode}, float(mode == verdict.mode)) for mode in MODES
    ]
    limits = [
        Sample("fleet_throttle_limit", {"limit": limit}, float(limit in verdict.limits))
        for limit in LIMITS
    ]
    known = [
        Sample("fleet_activity_signal_known", {"signal": signal}, float(value is not None))
        for signal, value in verdict.signals.items()
    ]
    return [*modes, *limits, *known, Sample("fleet_throttle_factor", {}, verdict.throttle_factor)]
