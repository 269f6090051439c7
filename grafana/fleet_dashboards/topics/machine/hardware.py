"""Panels about the hardware of one machine: load, memory, disks, power."""

from __future__ import annotations

from fleet_dashboards.datasources import Json, instant, or_say, series, sql
from fleet_dashboards.looks import DISK_FREE
from fleet_dashboards.panels import (
    COLOURED,
    LONG,
    MERGED,
    Head,
    absent,
    columns,
    lines,
    override,
    share_bar,
    sorted_by,
    table,
    thresholds,
    words,
)

DAY = 86400  # seconds
NO_PI = "not a Raspberry Pi, or its exporter is silent"
# A straight line through the minutes of a day, of at least an hour of them.
FULL_IN = """
        WITH pace AS (
          SELECT mount, count(*) AS minutes,
            regr_slope(free_bytes_avg, extract(epoch FROM time)::double precision) AS slope
          FROM analytics.disks_1m
          WHERE node = ${node:sqlstring} AND time > now() - interval '1 day' GROUP BY mount
        )
        SELECT d.mount AS "Mount", d.free_bytes AS "Free",
          d.free_bytes::double precision / nullif(d.total_bytes, 0) AS "Share",
          CASE WHEN p.minutes >= 60 AND p.slope < 0
            THEN least(d.free_bytes / -p.slope, 3.2e9) END AS "Full in",
          CASE WHEN coalesce(p.minutes, 0) < 60 THEN 'too early to tell'
            WHEN p.slope >= 0 OR d.free_bytes / -p.slope > 365 * 86400 THEN 'not within a year'
            WHEN d.free_bytes / -p.slope > 7 * 86400 THEN 'not within a week'
            ELSE 'within a week' END AS "Forecast"
        FROM analytics.disks d LEFT JOIN pace p USING (mount)
        WHERE d.node = ${node:sqlstring}
          AND d.time = (SELECT max(time) FROM analytics.disks WHERE node = ${node:sqlstring})
        ORDER BY d.mount
"""


def utilization() -> Json:
    """Return how busy CPU and GPUs are."""
    head = Head(
        120,
        "CPU and GPU, average of 5 minutes",
        "How busy the processor and each graphics card was in the 5 minutes before each moment. "
        "Source: Prometheus, avg_over_time of fleet_cpu_utilization_ratio and "
        "fleet_gpu_utilization_ratio.",
        "percentunit",
        "no reading in this time",
    )
    targets = [
        series(
            'max(avg_over_time(fleet_cpu_utilization_ratio{node="${node}"}[5m]))', "CPU", ref="A"
        ),
        series(
            'max by (gpu) (avg_over_time(fleet_gpu_utilization_ratio{node="${node}"}[5m]))',
            "GPU {{gpu}}",
            ref="B",
        ),
    ]
    return lines(head, *targets, min=0, max=1, decimals=0)


def memory() -> Json:
    """Return the share of memory in use, main memory and that of each GPU."""
    head = Head(
        121,
        "Memory in use",
        "Share of main memory, of swap, and of the memory of each graphics card; one that does not "
        "tell has no line. Source: Prometheus, fleet_memory_used_bytes / "
        "fleet_memory_total_bytes, the same of swap and of fleet_gpu_memory.",
        "percentunit",
        "no reading in this time",
    )
    targets = [
        series(_share("memory"), "main memory", ref="A"),
        series(_share("swap"), "swap", ref="B"),
        series(
            'max by (gpu) (fleet_gpu_memory_used_bytes{node="${node}"}'
            ' / fleet_gpu_memory_total_bytes{node="${node}"})',
            "GPU {{gpu}}",
            ref="C",
        ),
    ]
    return lines(
        head,
        *targets,
        min=0,
        max=1,
        decimals=0,
        thresholds=thresholds("transparent", (0.85, "yellow"), (0.95, "red")),
        custom={"thresholdsStyle": {"mode": "line"}},
    )


def _share(what: str) -> str:
    used, total = (f'fleet_{what}_{part}_bytes{{node="${{node}}"}}' for part in ("used", "total"))
    return f"max({used} / {total})"


def disks() -> Json:
    """Return the free space of each disk, and when it will be full."""
    head = Head(
        122,
        "Disk free, and until when",
        "Free space of each mount: yellow below 20 GiB, red below 5 GiB; and when it will be full "
        "if it fills on as in the last 24 hours, by a straight line through its minutes. "
        "Source: analytics.disks (newest), analytics.disks_1m (regr_slope of free_bytes_avg).",
        "string",
        "no disk was read in the last 26 hours",
    )
    overrides = [
        override("Mount", **LONG),
        override(
            "Free",
            unit="bytes",
            decimals=1,
            custom__cellOptions=COLOURED,
            custom__width=100,
            thresholds=DISK_FREE,
        ),
        share_bar("Share", thresholds("blue")),
        override(
            "Full in",
            unit="s",
            decimals=1,
            custom__cellOptions=COLOURED,
            custom__width=110,
            mappings=absent("-"),
            thresholds=thresholds("red", (DAY, "orange"), (7 * DAY, "green")),
        ),
        override("Forecast", custom__width=140),
    ]
    return table(head, sql(FULL_IN), overrides=overrides)


def power() -> Json:
    """Return the power that the machine draws."""
    head = Head(
        125,
        "Power",
        "What the processor packages draw, or the whole board where that is measured, and each "
        "graphics card with its limit. Source: Prometheus, fleet_power_watts, "
        "fleet_gpu_power_watts, fleet_gpu_power_limit_watts.",
        "watt",
        "this machine measures no power",
    )
    targets = [
        series('max(fleet_power_watts{node="${node}"})', "CPU or board", ref="A"),
        series('max by (gpu) (fleet_gpu_power_watts{node="${node}"})', "GPU {{gpu}}", ref="B"),
        series(
            'max by (gpu) (fleet_gpu_power_limit_watts{node="${node}"})',
            "GPU {{gpu}} limit",
            ref="C",
        ),
    ]
    return lines(head, *targets, min=0, decimals=0)


def pi() -> Json:
    """Return what the firmware of a Raspberry Pi holds back."""
    head = Head(
        126,
        "Raspberry Pi: voltage and throttling",
        "Under-voltage (a weak power supply or cable), capped frequency, throttling, soft "
        "temperature limit: now, since boot, and how long since the exporter began. Source: "
        "Prometheus, fleet_pi_throttled, fleet_pi_throttled_since_boot, "
        "fleet_pi_throttled_seconds_total.",
        "string",
        NO_PI,
    )
    of_node = '{node="${node}"}'
    targets = [
        instant(
            or_say(f"max by (reason) (fleet_pi_throttled{of_node})", "reason", NO_PI),
            ref="A",
            form="table",
        ),
        instant(f"max by (reason) (fleet_pi_throttled_since_boot{of_node})", ref="B", form="table"),
        instant(
            f"max by (reason) (increase(fleet_pi_throttled_seconds_total{of_node}[$__range]))",
            ref="C",
            form="table",
        ),
    ]
    changes = [
        MERGED,
        columns(reason="What", Value_A="Now", Value_B="Since boot", Value_C="In this time"),
        sorted_by("What"),
    ]
    flags = words(**{"0": ("no", "green"), "1": ("yes", "red")})
    overrides = [
        override(
            "What",
            mappings=words(
                under_voltage=("under-voltage", "text"),
                frequency_capped=("frequency capped", "text"),
                throttled=("throttled", "text"),
                soft_temperature_limit=("soft temperature limit", "text"),
            ),
        ),
        override(
            "Now", mappings=flags + absent("-"), custom__cellOptions=COLOURED, custom__width=70
        ),
        override("Since boot", mappings=flags, custom__cellOptions=COLOURED, custom__width=95),
        override("In this time", unit="s", decimals=0, custom__width=105),
    ]
    return table(head, *targets, transformations=changes, overrides=overrides)
