"""Panels about the network: what each machine receives and sends, and the lines between them."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.datasources import RATE_STEP, Json, instant, series
from fleet_dashboards.panels import MERGED, Head, columns, lines, override, sorted_by, table


def traffic() -> Json:
    """Return the bytes a second of each machine, all its devices together."""
    head = Head(
        21,
        "Network traffic",
        "What each machine receives and sends, all devices but loopback together. "
        "Source: Prometheus, rate of fleet_network_receive_bytes_total and "
        "fleet_network_transmit_bytes_total; the same by device: analytics.network_1m.",
        "Bps",
        "no network device to show",
    )
    targets = [
        series(
            f"sum by (node) (rate(fleet_network_{way}_bytes_total[$__rate_interval]))",
            f"{{{{node}}}} {word}",
            ref=ref,
            step=RATE_STEP,
        )
        for ref, way, word in (("A", "receive", "received"), ("B", "transmit", "sent"))
    ]
    node = links.to_node_of_series()
    return lines(head, *targets, legend="right", min=0, links=node)


def peers() -> Json:
    """Return what each node measured of the line to each other one."""
    head = Head(
        22,
        "Round trip and throughput to other nodes",
        "What each node measured last of the line to its peers: round trips each minute, "
        "throughput each half hour while neither end is gaming, at work, hot or busy. 20 peers a "
        "node at most; all: analytics.peer_bandwidth. Source: Prometheus, "
        "fleet_peer_round_trip_seconds and fleet_peer_throughput_bytes_per_second.",
        "string",
        "no other node to measure",
    )
    targets = [
        instant(f"max by (node, peer) (fleet_peer_{what})", ref=ref, form="table")
        for ref, what in (("A", "round_trip_seconds"), ("B", "throughput_bytes_per_second"))
    ]
    changes = [
        MERGED,
        columns(node="Node", peer="To", Value_A="Round trip", Value_B="Throughput"),
        sorted_by("Throughput"),
    ]
    overrides = [
        override("Node", links=links.to_node()),
        override("To", links=links.to_node("To")),
        override("Round trip", unit="s", decimals=1, custom__width=110),
        override("Throughput", unit="Bps", decimals=1, custom__width=120),
    ]
    return table(head, *targets, transformations=changes, overrides=overrides)
