"""Panels about the network of one machine: its devices, and the lines to its peers."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.datasources import RATE_STEP, Json, series, sql
from fleet_dashboards.looks import LINES
from fleet_dashboards.panels import (
    COLOURED,
    FILLED,
    Head,
    absent,
    lines,
    override,
    table,
    thresholds,
)

SLOW, FAST = 1_250_000, 12_500_000  # bytes a second: 10 and 100 Mbit/s


def devices() -> Json:
    """Return the bytes a second of each network device."""
    head = Head(
        131,
        "Network traffic by device",
        "What each network device but loopback receives and sends. Source: Prometheus, rate of "
        "fleet_network_receive_bytes_total and fleet_network_transmit_bytes_total; by minute and "
        "hour: analytics.network_1m, network_1h.",
        "Bps",
        "no network device in this time",
    )
    targets = [
        series(
            f"max by (device) (rate(fleet_network_{way}_bytes_total"
            '{node="${node}"}[$__rate_interval]))',
            f"{{{{device}}}} {word}",
            ref=ref,
            step=RATE_STEP,
        )
        for ref, way, word in (("A", "receive", "received"), ("B", "transmit", "sent"))
    ]
    return lines(head, *targets, min=0)


def peers() -> Json:
    """Return the lines to and from every other machine, as heat and in words."""
    head = Head(
        132,
        "Bandwidth to and from other nodes",
        "What this machine and each peer last measured of the line between them, both ways: slow "
        "< 10 Mbit/s (1.25 MB/s), fast from 100 Mbit/s (12.5 MB/s). Round trips are measured each "
        "minute, throughput each half hour while neither end is busy. "
        "Source: analytics.peer_bandwidth.",
        "string",
        "no other node to measure",
    )
    query = sql(
        """
        SELECT coalesce(o.peer, i.node) AS "Peer",
          CASE WHEN coalesce(o.state, 'ok') <> 'ok' THEN 'broken'
            WHEN least(o.throughput_bytes_per_second, i.throughput_bytes_per_second) IS NULL
              THEN 'unmeasured'
            WHEN least(o.throughput_bytes_per_second, i.throughput_bytes_per_second) < {slow}
              THEN 'slow'
            WHEN least(o.throughput_bytes_per_second, i.throughput_bytes_per_second) < {fast}
              THEN 'fair' ELSE 'fast' END AS "Line",
          o.throughput_bytes_per_second AS "Sends to it",
          i.throughput_bytes_per_second AS "Gets from it",
          coalesce(o.round_trip_seconds, i.round_trip_seconds) AS "Round trip",
          o.state AS "Last call", round(extract(epoch FROM now() - o.time)) AS "Called"
        FROM (SELECT * FROM analytics.peer_bandwidth WHERE node = ${node:sqlstring}) o
        FULL JOIN (SELECT * FROM analytics.peer_bandwidth WHERE peer = ${node:sqlstring}) i
          ON i.node = o.peer
        ORDER BY 1
        """.replace("{slow}", str(SLOW)).replace("{fast}", str(FAST))
    )
    heat = {
        "unit": "Bps",
        "decimals": 1,
        "custom__cellOptions": FILLED,
        "custom__width": 120,
        "mappings": absent("not measured"),
        "thresholds": thresholds("dark-orange", (SLOW, "dark-yellow"), (FAST, "dark-green")),
    }
    overrides = [
        override("Peer", links=links.to_node("Peer")),
        override("Line", mappings=LINES, custom__cellOptions=COLOURED, custom__width=110),
        override("Sends to it", **heat),
        override("Gets from it", **heat),
        override(
            "Round trip", unit="s", decimals=1, mappings=absent("not measured"), custom__width=105
        ),
        override("Last call", mappings=absent("never"), custom__width=100),
        override("Called", unit="s", decimals=0, mappings=absent("never"), custom__width=90),
    ]
    return table(head, query, overrides=overrides)
