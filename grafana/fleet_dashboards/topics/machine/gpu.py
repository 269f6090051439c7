"""Panels about the graphics cards of one machine."""

from __future__ import annotations

from fleet_dashboards.datasources import Json, series, sql
from fleet_dashboards.looks import HEAT, HEAT_BOUNDARY, MEMORY_FULL
from fleet_dashboards.panels import (
    COLOURED,
    LONG,
    Head,
    absent,
    lines,
    override,
    share_bar,
    table,
    thresholds,
    words,
)

NO_GPU = "no GPU on this node"


def cards() -> Json:
    """Return each graphics card with all that it tells."""
    head = Head(
        127,
        "Graphics cards",
        "Each card at its last reading of the last 26 hours; green < 70 °C, yellow 70-80 °C, red "
        "> 80 °C. A lost card is one that its driver cannot reach any more. What a card does not "
        "tell reads so. Source: analytics.gpu.",
        "string",
        NO_GPU,
    )
    query = sql("""
        SELECT gpu AS "GPU", name AS "Name",
          CASE WHEN is_up IS FALSE THEN 'lost' ELSE 'there' END AS "State",
          utilization_ratio AS "Busy", temperature_celsius AS "Temperature",
          memory_used_bytes::double precision / nullif(memory_total_bytes, 0) AS "Memory",
          memory_total_bytes AS "of size", power_watts AS "Power", power_limit_watts AS "Limit",
          clock_hertz AS "Clock", memory_clock_hertz AS "Memory clock", fan_ratio AS "Fan",
          round(extract(epoch FROM now() - time)) AS "Read"
        FROM analytics.gpu WHERE node = ${node:sqlstring}
          AND time = (SELECT max(time) FROM analytics.gpu WHERE node = ${node:sqlstring})
        ORDER BY gpu
        """)
    untold = {"mappings": absent("not told")}
    share = untold | {"custom__width": 110}
    states = words(there=("there", "green"), lost=("lost", "red"))
    overrides = [
        override("GPU", custom__width=55),
        override("Name", **untold, **LONG),
        override("State", mappings=states, custom__cellOptions=COLOURED, custom__width=70),
        share_bar("Busy", thresholds("blue"), **share),
        override(
            "Temperature",
            unit="celsius",
            decimals=0,
            thresholds=HEAT,
            mappings=HEAT_BOUNDARY + absent("not told"),
            custom__cellOptions=COLOURED,
            custom__width=110,
        ),
        share_bar("Memory", MEMORY_FULL, **share),
        override("of size", unit="bytes", decimals=0, **untold, custom__width=80),
        override("Power", unit="watt", decimals=0, **untold, custom__width=80),
        override("Limit", unit="watt", decimals=0, **untold, custom__width=80),
        override("Clock", unit="rothz", decimals=2, **untold, custom__width=95),
        override("Memory clock", unit="rothz", decimals=2, **untold, custom__width=115),
        override("Fan", unit="percentunit", decimals=0, **untold, custom__width=80),
        override("Read", unit="s", decimals=0, custom__width=70),
    ]
    return table(head, query, overrides=overrides)


def clocks() -> Json:
    """Return the clocks of the cards over time."""
    head = Head(
        129,
        "GPU clock",
        "Clock of the cores of each card; it falls when the card holds itself back. "
        "Source: Prometheus, fleet_gpu_clock_hertz.",
        "rothz",
        NO_GPU,
    )
    expr = 'max by (gpu) (fleet_gpu_clock_hertz{node="${node}"})'
    return lines(head, series(expr, "GPU {{gpu}}"), min=0, decimals=2)


def throttling() -> Json:
    """Return how much of the time each card held itself back, by reason."""
    head = Head(
        130,
        "GPU held back, by reason",
        "Share of the time in which a card kept its clock down, by what it says of why: "
        "power_cap, thermal_software, thermal_hardware, hardware_slowdown, power_brake. "
        "Source: Prometheus, rate of fleet_gpu_throttle_seconds_total.",
        "percentunit",
        f"{NO_GPU}, or none that says why",
    )
    expr = """
        max by (gpu, reason) (
          rate(fleet_gpu_throttle_seconds_total{node="${node}"}[$__rate_interval]))
        """
    return lines(head, series(expr, "GPU {{gpu}} {{reason}}"), min=0, max=1, decimals=0)
