"""The dashboard "Node": how one machine stands, what may be done about it, then all its details."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import Heading, Page, Row, dashboard
from fleet_dashboards.links import NODE
from fleet_dashboards.topics import (
    alerts,
    machine,
    machine_gpu,
    machine_hardware,
    machine_heat,
    machine_network,
    machine_sight,
    machine_work,
)
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
                (3, machine.state()),
                (3, machine.mode()),
                (5, machine.allowed()),
                (4, machine.heartbeat()),
                (9, machine.buttons()),
            ],
        ),
        Row(6, [(15, machine_work.writing()), (9, alerts.of_node())]),
        Row(4, [(12, machine_work.speed()), (12, machine_work.written())]),
        Row(6, [(14, machine_work.server()), (10, machine.settings())]),
        Heading(140, "What has it done, and how fast?"),
        Row(4, [(24, machine_work.modes())]),
        Row(6, [(24, machine_work.factor())]),
        Row(8, [(12, machine_work.tokens()), (12, machine_work.first_token())]),
        Heading(141, "Is it too hot, too busy, too full?"),
        Row(
            8,
            [
                (7, machine_heat.sensors()),
                (11, machine_heat.temperatures()),
                (6, machine_heat.other_sensors()),
            ],
        ),
        Row(8, [(12, machine_hardware.utilization()), (12, machine_hardware.memory())]),
        Row(7, [(14, machine_hardware.disks()), (10, machine_hardware.pi())]),
        Row(8, [(12, machine_hardware.power()), (12, machine_heat.history())]),
        Heading(142, "Graphics cards"),
        Row(5, [(24, machine_gpu.cards())]),
        Row(7, [(12, machine_gpu.clocks()), (12, machine_gpu.throttling())]),
        Heading(143, "Network"),
        Row(8, [(12, machine_network.peers()), (12, machine_network.devices())]),
        Heading(144, "What was it told, and what happened?"),
        Row(7, [(24, machine.commands())]),
        Row(8, [(24, machine.events())]),
        Heading(145, "Is it seen well?"),
        Row(4, [(24, machine_sight.clock())]),
        Row(12, [(9, machine_sight.collectors()), (15, machine_sight.lag())]),
    ]
    return dashboard(PAGE, rows, [NODES])
