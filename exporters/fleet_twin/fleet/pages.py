"""Serve the exporters of all nodes at one port, each below the path of its name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fleet_exporters.sinks.page.server import Server

from fleet_twin.fleet.node import TICK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_exporters.sinks.page.prometheus import Exposition

    from fleet_twin.fleet.node import Node

FROZEN_SECONDS = 10.0  # a scraper has given up long before


def make_server(address: tuple[str, int], nodes: Mapping[str, Node]) -> Server:
    """Return what serves the pages; it hangs up on who asks a node that is gone or frozen."""
    return Server(address, partial(find_exposition, nodes), TICK_SECONDS)


def find_exposition(nodes: Mapping[str, Node], folder: bytes) -> Exposition | None:
    """Return what a node serves. Raises ConnectionError where nobody answers."""
    node = nodes.get(folder.decode(errors="replace").lstrip("/"))
    if node is None:
        return None
    if node.link.is_cut or not node.link.wait(FROZEN_SECONDS):
        raise ConnectionResetError(f"{node.name} does not answer")
    return node.exposition
