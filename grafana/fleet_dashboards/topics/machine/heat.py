"""Panels about how hot one machine is: every sensor, now and over time."""

from __future__ import annotations

from fleet_dashboards.datasources import Json, instant, or_say, series, sql
from fleet_dashboards.looks import HEAT, HEAT_BOUNDARY
from fleet_dashboards.panels import (
    COLOURED,
    LONG,
    MERGED,
    Head,
    absent,
    columns,
    lines,
    override,
    sorted_by,
    table,
)

# The processor's and the cards' sensors, each with the name of its part.
HOT_PARTS = """
    max by (sensor) (
      label_replace({cpu}, "sensor", "CPU $1", "sensor", "(.+)")
      or label_replace({gpu}, "sensor", "GPU $1", "gpu", "(.+)"))
    """
CPU_HEAT = 'fleet_cpu_temperature_celsius{node="${node}"}'
GPU_HEAT = 'fleet_gpu_temperature_celsius{node="${node}"}'
OTHER_HEAT = 'fleet_temperature_celsius{node="${node}"}'
BAND = {"unit": "celsius", "decimals": 0, "thresholds": HEAT, "mappings": HEAT_BOUNDARY}
# One level of the readings: it gives rows on the ranges that it is for only.
LEVEL = """
        SELECT time, {readings} FROM analytics.{view}
        WHERE node = ${node:sqlstring} AND $__timeFilter(time)
          AND $__timeTo()::timestamptz - $__timeFrom()::timestamptz {within} interval '2 days'
        """


def _hot_parts(over: str = "{}") -> str:
    return HOT_PARTS.replace("{cpu}", over.replace("{}", CPU_HEAT)).replace(
        "{gpu}", over.replace("{}", GPU_HEAT)
    )


def sensors() -> Json:
    """Return each sensor of CPU and GPUs now, and its highest reading."""
    head = Head(
        118,
        "CPU and GPU sensors",
        "Every sensor of processor and graphics cards: now, and the highest reading of the chosen "
        "time; green < 70 °C, yellow 70-80 °C, red > 80 °C. Source: Prometheus, "
        "fleet_cpu_temperature_celsius and fleet_gpu_temperature_celsius.",
        "string",
        "no such sensor on this machine, or its exporter does not answer",
    )
    targets = [
        instant(or_say(_hot_parts(), "sensor", "no sensor, or silent"), ref="A", form="table"),
        instant(_hot_parts("max_over_time({}[$__range])"), ref="B", form="table"),
    ]
    changes = [
        MERGED,
        columns(sensor="Sensor", Value_A="Now", Value_B="Highest"),
        sorted_by("Sensor"),
    ]
    overrides = [
        override("Sensor", **LONG),
        override("Now", **BAND | _gone(), custom__cellOptions=COLOURED, custom__width=90),
        override("Highest", **BAND, custom__cellOptions=COLOURED, custom__width=90),
    ]
    return table(head, *targets, transformations=changes, overrides=overrides)


def _gone() -> Json:
    return {"mappings": HEAT_BOUNDARY + absent("-")}


def other_sensors() -> Json:
    """Return the sensors of drives, board and radio."""
    head = Head(
        123,
        "Other sensors",
        "Drives, board, radio: now, and the highest reading of the chosen time. What is too hot "
        "differs between them (75 °C is fine for a flash drive, not for a disk): they have no "
        "bands. Source: Prometheus, fleet_temperature_celsius.",
        "string",
        "no other sensor on this machine, or its exporter does not answer",
    )
    targets = [
        instant(
            or_say(f"max by (sensor) ({OTHER_HEAT})", "sensor", "no sensor, or silent"),
            ref="A",
            form="table",
        ),
        instant(f"max by (sensor) (max_over_time({OTHER_HEAT}[$__range]))", ref="B", form="table"),
    ]
    changes = [
        MERGED,
        columns(sensor="Sensor", Value_A="Now", Value_B="Highest"),
        sorted_by("Sensor"),
    ]
    degrees = {"unit": "celsius", "decimals": 0, "custom__width": 90}
    overrides = [
        override("Sensor", **LONG),
        override("Now", **degrees, mappings=absent("-")),
        override("Highest", **degrees),
    ]
    return table(head, *targets, transformations=changes, overrides=overrides)


def temperatures() -> Json:
    """Return the sensors of CPU and GPUs over time, with the bands behind."""
    head = Head(
        119,
        "Temperatures over time",
        "The highest reading of each sensor of processor and graphics cards in each step; green "
        "< 70 °C, yellow 70-80 °C, red > 80 °C. Source: Prometheus, maximum of "
        "fleet_cpu_temperature_celsius and fleet_gpu_temperature_celsius.",
        "celsius",
        "no sensor on this machine",
    )
    return lines(
        head,
        series(_hot_parts("max_over_time({}[$__rate_interval])"), "{{sensor}}"),
        decimals=0,
        min=20,
        thresholds=HEAT,
        mappings=HEAT_BOUNDARY,
        custom={"fillOpacity": 0, "thresholdsStyle": {"mode": "area"}, "axisSoftMax": 90},
    )


def history() -> Json:
    """Return the highest temperatures of months: minutes on short ranges, hours on long ones."""
    head = Head(
        124,
        "Highest temperatures, kept for good",
        "The highest reading of processor and graphics cards by minute, on ranges above two days "
        "by hour; the database keeps hours for good. Minutes appear once they have ended. Source: "
        "analytics.hardware_1m, gpu_1m, hardware_1h, gpu_1h, the columns that end in _max.",
        "celsius",
        "no sensor on this machine, or no reading in this time",
    )
    branches = " UNION ALL ".join(
        LEVEL.replace("{readings}", readings).replace("{view}", view).replace("{within}", within)
        for unit, within in (("1m", "<="), ("1h", ">"))
        for view, readings in (
            (f"hardware_{unit}", "cpu_temperature_celsius_max AS cpu, NULL AS gpu"),
            (f"gpu_{unit}", "NULL AS cpu, temperature_celsius_max AS gpu"),
        )
    )
    query = sql(
        """
        SELECT time, max(cpu) AS "CPU", max(gpu) AS "hottest GPU" FROM ({branches}) AS levels
        GROUP BY time ORDER BY time
        """.replace("{branches}", branches),
        form="time_series",
    )
    return lines(
        head,
        query,
        min=20,
        decimals=0,
        thresholds=HEAT,
        mappings=HEAT_BOUNDARY,
        custom={"fillOpacity": 0, "thresholdsStyle": {"mode": "area"}, "axisSoftMax": 90},
    )
