"""Write what was measured: a table for people, the same for programs. Pure."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rotations import Row


@dataclass(frozen=True)
class Line:
    """A line to be: a figure of one contender, beside that of another, and the goal if any."""

    title: str
    figure: str
    goal: str = ""
    measured: str = "ours"
    against: str = "node_exporter"


LINES = (
    Line("scrape p50, ms", "scrape_p50_ms", "<= 0.07x"),
    Line("scrape p99, ms", "scrape_p99_ms", "<= 0.5x, <= 20 ms"),
    Line("scrape p50 at one per 5 s, ms", "steady_p50_ms"),
    Line("scrape max at one per 5 s, ms", "steady_max_ms"),
    Line("CPU, ms a minute", "cpu_ms_per_minute"),
    Line("CPU, ms a minute and machine series", "cpu_ms_per_minute_and_series"),
    Line("PSS, MB", "pss_mb", "<= 60 MB"),
    Line("machine series", "machine_series"),
    Line("all series", "series", "<= 400"),
    Line("page, gzipped bytes", "page_bytes"),
    Line("hung sensor / none: scrape p50, ms", "scrape_p50_ms", "<= 1.2x", "hung", "ours"),
    Line("hung sensor / none: scrape p99, ms", "scrape_p99_ms", "<= 1.2x", "hung", "ours"),
    Line("hung sensor / none: CPU, ms a tick", "cpu_ms_per_tick", "<= 1.2x", "hung", "ours"),
)


# Where another checkout takes part (--against).
BEFORE_LINES = (
    Line("now / before: scrape p50, ms", "scrape_p50_ms", "", "ours", "before"),
    Line("now / before: CPU, ms a tick", "cpu_ms_per_tick", "", "ours", "before"),
    Line("now / before: CPU, ms a minute", "cpu_ms_per_minute", "", "ours", "before"),
    Line("now / before: PSS, MB", "pss_mb", "", "ours", "before"),
)


@dataclass(frozen=True)
class Spread:
    """Minimum, median and maximum over the rotations."""

    min: float
    median: float
    max: float

    def __str__(self) -> str:
        return " - ".join(
            f"{value:.0f}" if value >= 100 else f"{value:.3g}"
            for value in (self.min, self.median, self.max)
        )


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    title: str
    measured: Spread
    against: Spread | None = None
    ratio: Spread | None = None
    goal: str = ""


def spread(values: Sequence[float]) -> Spread:
    """Return the three that stand for all."""
    return Spread(min(values), statistics.median(values), max(values))


def compare(line: Line, rotations: Sequence[Mapping[str, Row]]) -> Result:
    """Return a line; ratios are taken within each rotation, where the disturbance is the same."""
    measured = [float(getattr(rows[line.measured], line.figure)) for rows in rotations]
    against = [float(getattr(rows[line.against], line.figure)) for rows in rotations]
    ratios = [one / other for one, other in zip(measured, against, strict=True)]
    return Result(line.title, spread(measured), spread(against), spread(ratios), line.goal)


def compare_all(
    rotations: Sequence[Mapping[str, Row]], latency_ticks: Sequence[float]
) -> list[Result]:
    """Return the whole table; `latency_ticks` is the p99 from reading to SQL, each rotation."""
    ticks = [rows["ours"].cpu_ms_per_tick for rows in rotations]
    lines = (*LINES, *(BEFORE_LINES if "before" in rotations[0] else ()))
    return [
        *(compare(line, rotations) for line in lines),
        Result("CPU, ms a tick (all threads)", spread(ticks), goal="<= 5 ms"),
        Result("reading to SQL p99, ticks", spread(latency_ticks), goal="<= 1.5"),
    ]


def render(results: Sequence[Result], notes: Sequence[str]) -> str:
    """Return the table, ready for a README, and what to know about it."""
    rows = [("min - median - max", "measured", "against", "ratio", "goal")]
    rows += [
        (each.title, str(each.measured), *map(_show, (each.against, each.ratio)), each.goal)
        for each in results
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join([*lines, "", *notes])


def _show(spread: Spread | None) -> str:
    return "" if spread is None else str(spread)


def to_json(results: Sequence[Result]) -> list[dict[str, object]]:
    """Return the table for programs."""
    return [asdict(result) for result in results]
