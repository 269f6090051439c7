"""Serve the exporters of all nodes at one port, each below the path of its name."""

from __future__ import annotations

import gzip
from functools import partial
from typing import TYPE_CHECKING

from fleet_exporters.sinks.page.prometheus import Exposition, Page
from fleet_exporters.sinks.page.server import Server

from fleet_twin import faults
from fleet_twin.fleet.node import TICK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_twin.fleet.node import Node

SERIES_TOO_MANY = 2500
JUNK = b"".join(b'fleet_twin_junk{number="%d"} 1\n' % each for each in range(SERIES_TOO_MANY))
FROZEN_SECONDS = 10.0  # a scraper has given up long before


def make_server(address: tuple[str, int], nodes: Mapping[str, Node]) -> Server:
    """Return what serves the pages; it hangs up on who asks a node that is gone or frozen."""
    return Server(address, partial(find_exposition, nodes), TICK_SECONDS)


def find_exposition(nodes: Mapping[str, Node], folder: bytes) -> Exposition | None:
    """Return what a node serves. Raises ConnectionError where nobody answers."""
    node = nodes.get(folder.decode(errors="replace").lstrip("/"))
    if node is None:
        return None
    if node.is_cut or not node.exporter.wait(FROZEN_SECONDS):
        raise ConnectionResetError(f"{node.name} does not answer")
    exposition = node.exposition
    if exposition is not None and node.machine.has(faults.PAGE_TOO_LONG):
        return TooLong(exposition)
    return exposition


class TooLong(Exposition):
    """A page with more series than Prometheus takes of one target."""

    def __init__(self, exposition: Exposition) -> None:
        super().__init__(access=exposition.access)
        self._exposition = exposition

    def page(self) -> Page | None:
        """Return what to serve; None before the first tick."""
        page = self._exposition.page()
        if page is None:
            return None
        body = page.body + JUNK
        return Page(body, gzip.compress(body, mtime=0), page.read_at)
