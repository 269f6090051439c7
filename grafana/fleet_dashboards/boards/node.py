"""The dashboard "Node": how one machine stands, what may be done about it, then all its details."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import Heading, Page, Row, dashboard
from fleet_dashboards.links import NODE
from fleet_dashboards.topics.alerts import firing
from fleet_dashboards.topics.machine import gpu, hardware, heat, network, now, sight, work
from fleet_dashboards.variables import picked

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

PAGE = Page(NODE, "Node", "One machine: state, controls, work, hardware, network, commands.")
NODES = picked("node", "Node", "SELECT node FROM analytics.nodes ORDER BY node")


def build() -> Json:
    """Return the dashboard: is it there, does it write, is it hot, what was it told."""
    rows: list[Row | Heading] = [
        Row(
            5,
            [
                (3, now.state()),
                (3, now.mode()),
                (5, now.allowed()),
                (4, now.heartbeat()),
                (9, now.buttons()),
            ],
        ),
        Row(6, [(15, work.writing()), (9, firing.of_node())]),
        Row(4, [(12, work.speed()), (12, work.written())]),
        Row(6, [(14, work.server()), (10, now.settings())]),
        Heading(140, "What has it done, and how fast?"),
        Row(4, [(24, work.modes())]),
        Row(6, [(24, work.factor())]),
        Row(8, [(12, work.tokens()), (12, work.first_token())]),
        Heading(141, "Is it too hot, too busy, too full?"),
        Row(
            8,
            [
                (7, heat.sensors()),
                (11, heat.temperatures()),
                (6, heat.other_sensors()),
            ],
        ),
        Row(8, [(12, hardware.utilization()), (12, hardware.memory())]),
        Row(7, [(14, hardware.disks()), (10, hardware.pi())]),
        Row(8, [(12, hardware.power()), (12, heat.history())]),
        Heading(142, "Graphics cards"),
        Row(5, [(24, gpu.cards())]),
        Row(7, [(12, gpu.clocks()), (12, gpu.throttling())]),
        Heading(143, "Network"),
        Row(8, [(12, network.peers()), (12, network.devices())]),
        Heading(144, "What was it told, and what happened?"),
        Row(7, [(24, now.commands())]),
        Row(8, [(24, now.events())]),
        Heading(145, "Is it seen well?"),
        Row(4, [(24, sight.clock())]),
        Row(12, [(9, sight.collectors()), (15, sight.lag())]),
    ]
    return dashboard(PAGE, rows, [NODES])
