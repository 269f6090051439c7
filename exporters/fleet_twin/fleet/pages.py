"""Serve the exporters of all nodes at one port, each below the path of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_exporters.sinks.page.server import Server

from fleet_twin.fleet.node import TICK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_exporters.sinks.page.prometheus import Exposition

    from fleet_twin.fleet.node import Node

FROZEN_SECONDS = 10.0  # a scraper has given up long before


class Pages(Server):
    """Finds the page of a node; hangs up where it is gone, says nothing while it is frozen."""

    def __init__(self, address: tuple[str, int], nodes: Mapping[str, Node]) -> None:
        super().__init__(address, {}, TICK_SECONDS)
        self._nodes = nodes

    def find_exposition(self, folder: bytes) -> Exposition | None:
        """Return what a node serves. Raises ConnectionError where nobody answers."""
        node = self._nodes.get(folder.decode(errors="replace").lstrip("/"))
        if node is None:
            return None
        if node.link.is_cut or not node.link.wait(FROZEN_SECONDS):
            raise ConnectionResetError(f"{node.name} does not answer")
        return node.exposition
