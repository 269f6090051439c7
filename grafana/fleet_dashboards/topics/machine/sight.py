"""Panels about how well one machine is seen: blind sensors, its clock, readings that wait."""

from __future__ import annotations

from fleet_dashboards.datasources import Json, instant, or_say, series
from fleet_dashboards.panels import (
    COLOURED,
    MERGED,
    Head,
    absent,
    columns,
    lines,
    override,
    sorted_by,
    stat,
    table,
    thresholds,
    words,
)

OF_NODE = '{node="${node}"}'


def collectors() -> Json:
    """Return each sensor family of the machine, and whether it can be read."""
    head = Head(
        135,
        "Sensor families",
        "Each family of sensors that this machine has, whether it can be read, and how long the "
        "last reading took; blind means that its values are missing until it is repaired, absent "
        "devices have no row. By hand: fleet doctor on the machine. Source: Prometheus, "
        "fleet_collector_up and fleet_collector_duration_seconds.",
        "string",
        "the exporter of this machine does not answer",
    )
    targets = [
        instant(
            or_say(
                f"max by (collector) (fleet_collector_up{OF_NODE})",
                "collector",
                "the exporter does not answer",
            ),
            ref="A",
            form="table",
        ),
        instant(
            f"max by (collector) (fleet_collector_duration_seconds{OF_NODE})",
            ref="B",
            form="table",
        ),
    ]
    changes = [
        MERGED,
        columns(collector="Family", Value_A="State", Value_B="Took"),
        sorted_by("State"),
    ]
    states = words(**{"0": ("blind", "red"), "1": ("read", "green")})
    overrides = [
        override(
            "State", mappings=states + absent("-"), custom__cellOptions=COLOURED, custom__width=90
        ),
        override("Took", unit="s", decimals=1, custom__width=100),
    ]
    return table(head, *targets, transformations=changes, overrides=overrides)


def clock() -> Json:
    """Return how far the clock is off, and how many readings wait for the database."""
    head = Head(
        136,
        "Clock, and readings on their way",
        "How far the clock of the machine is ahead of the database's; age of the oldest reading "
        "that is not stored yet; readings that wait on its disk, and the age of the oldest. "
        "Source: Prometheus, fleet_clock_offset_seconds, fleet_ingest_lag_seconds, "
        "fleet_spool_rows, fleet_spool_oldest_seconds.",
        "s",
        "the exporter of this machine does not answer",
    )
    targets = [
        instant(f"max(fleet_clock_offset_seconds{OF_NODE})", "clock ahead by", ref="A"),
        instant(f"max(fleet_ingest_lag_seconds{OF_NODE})", "stored after", ref="B"),
        instant(f"max(fleet_spool_rows{OF_NODE})", "waiting on disk", ref="C"),
        instant(f"max(fleet_spool_oldest_seconds{OF_NODE})", "oldest of them", ref="D"),
    ]
    skew = thresholds("red", (-2, "orange"), (-0.5, "green"), (0.5, "orange"), (2, "red"))
    late = thresholds("green", (30, "orange"), (300, "red"))
    overrides = [
        override("clock ahead by", thresholds=skew, decimals=2),
        override("stored after", thresholds=late),
        override(
            "waiting on disk",
            unit="suffix: rows",
            decimals=0,
            thresholds=thresholds("green", (1, "orange")),
        ),
        override("oldest of them", thresholds=late),
    ]
    return stat(head, *targets, decimals=1, overrides=overrides)


def lag() -> Json:
    """Return how far clock and database were behind over time."""
    head = Head(
        137,
        "Clock and storing over time",
        "How far the clock of the machine was ahead of the database's, and the age of the oldest "
        "reading that was not stored yet: it rises while the database cannot be reached, then "
        "falls as what waited on disk is sent. Source: Prometheus, fleet_clock_offset_seconds and "
        "fleet_ingest_lag_seconds.",
        "s",
        "no reading in this time",
    )
    targets = [
        series(f"max(fleet_clock_offset_seconds{OF_NODE})", "clock ahead by", ref="A"),
        series(f"max(fleet_ingest_lag_seconds{OF_NODE})", "stored after", ref="B"),
    ]
    return lines(head, *targets, decimals=2)
