"""
Measure contenders side by side, rotation after rotation.

All run at once and are asked in turn, so that what disturbs the machine disturbs them all alike.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import process
from contenders import count_machine_series
from scrape import read_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contenders import Contender

SCRAPE_SECONDS = 5.0
MINUTE = 60.0


@dataclass(frozen=True)
class Plan:
    """How much to measure in each rotation."""

    scrapes: int
    steady_seconds: float
    quiet_seconds: float
    tick_seconds: float


@dataclass(frozen=True)
class Row:
    """What one contender showed in one rotation."""

    scrape_p50_ms: float
    scrape_p99_ms: float
    steady_p50_ms: float
    steady_max_ms: float
    cpu_ms_per_minute: float
    cpu_ms_per_tick: float
    pss_mb: float
    series: int
    machine_series: int
    page_bytes: int

    @property
    def cpu_ms_per_minute_and_series(self) -> float:
        """CPU of a minute for each series that tells of the machine."""
        return self.cpu_ms_per_minute / self.machine_series


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that `percent` of all values do not exceed, without interpolation."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def measure(contenders: Sequence[Contender], plan: Plan) -> dict[str, Row]:
    """Return one rotation: a burst of scrapes, a steady time, a quiet time without scrapes."""
    burst: dict[str, list[float]] = {each.name: [] for each in contenders}
    for at in range(plan.scrapes):
        _scrape_all(contenders, burst, at)
    steady, minute = _measure_steady(contenders, plan)
    tick = _measure_quiet(contenders, plan)
    rows = {}
    for each in contenders:
        body = each.scraper.scrape()[1]
        names = read_series(body)
        rows[each.name] = Row(
            scrape_p50_ms=percentile(burst[each.name], 50) * 1000,
            scrape_p99_ms=percentile(burst[each.name], 99) * 1000,
            steady_p50_ms=percentile(steady[each.name], 50) * 1000,
            steady_max_ms=max(steady[each.name]) * 1000,
            cpu_ms_per_minute=minute[each.name] * 1000,
            cpu_ms_per_tick=tick[each.name] * 1000,
            pss_mb=process.read_pss_bytes(each.process.pid) / 1e6,
            series=len(names),
            machine_series=count_machine_series(names),
            page_bytes=len(body),
        )
    return rows


def _scrape_all(contenders: Sequence[Contender], times: dict[str, list[float]], turn: int) -> None:
    """Ask each once, in an order of chance: who comes after whom decides what is in the caches."""
    for each in random.Random(turn).sample(contenders, len(contenders)):
        times[each.name].append(each.scraper.scrape()[0])


def _measure_steady(
    contenders: Sequence[Contender], plan: Plan
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Scrape as Prometheus does; return seconds of each scrape, and CPU seconds a minute."""
    times: dict[str, list[float]] = {each.name: [] for each in contenders}
    before, began = _read_cpu(contenders), time.monotonic()
    for turn in range(round(plan.steady_seconds / SCRAPE_SECONDS)):
        _scrape_all(contenders, times, turn)
        time.sleep(max(0.0, began + (turn + 1) * SCRAPE_SECONDS - time.monotonic()))
    minutes = (time.monotonic() - began) / MINUTE
    after = _read_cpu(contenders)
    return times, {name: (after[name] - before[name]) / minutes for name in after}


def _measure_quiet(contenders: Sequence[Contender], plan: Plan) -> dict[str, float]:
    """Return CPU seconds a tick while nobody asks; all threads, sinks and COPY included."""
    before, began = _read_cpu(contenders), time.monotonic()
    time.sleep(plan.quiet_seconds)
    ticks = (time.monotonic() - began) / plan.tick_seconds
    after = _read_cpu(contenders)
    return {name: (after[name] - before[name]) / ticks for name in after}


def _read_cpu(contenders: Sequence[Contender]) -> dict[str, float]:
    return {each.name: process.read_cpu_seconds(each.process.pid) for each in contenders}
