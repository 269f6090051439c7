"""
Say what the node agent has measured of the network to its peers: peers.json.

By hand: `cat $FLEET_RUNTIME_DIR/peers.json`. The agent says for how long its values hold; after
that nobody knows any more, and only what it has counted is told.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE = "peers.json"
VERSION = 1
PEERS_MAX = 20  # the agent names as many; analytics.peer_bandwidth has them all
GAUGES = {
    "round_trip_seconds": "fleet_peer_round_trip_seconds",
    "throughput_bytes_per_second": "fleet_peer_throughput_bytes_per_second",
}
COUNTERS = {
    "calls": ("fleet_peer_calls_total", "outcome"),
    "held_back": ("fleet_peer_held_back_total", "reason"),
    "refused": ("fleet_peer_refused_total", "reason"),
}


def parse(text: str, now: datetime) -> Iterator[Sample]:
    """Yield what the file says. Raises SensorError where it is not as expected."""
    try:
        content = json.loads(text)
        if content["version"] != VERSION:
            raise SensorError(
                f"{FILE} has version {content['version']}, not {VERSION}; "
                "update node agent and exporter together"
            )
        age = (now - datetime.fromisoformat(content["time"])).total_seconds()
        samples = [*_counted(content)]
        if age <= content["valid_seconds"]:
            samples += _measured(content["peers"])
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise SensorError(f"{FILE} is not as expected: {exc!r}; restart the node agent") from exc
    yield from samples


def _counted(content: dict[str, Any]) -> Iterator[Sample]:
    for key, (name, label) in COUNTERS.items():
        for value, count in sorted(content[key].items()):
            yield Sample(name, {label: value}, float(count))
    yield Sample("fleet_peer_sent_bytes_total", {}, float(content["sent_bytes"]))


def _measured(peers: dict[str, dict[str, float]]) -> Iterator[Sample]:
    for peer, values in sorted(peers.items())[:PEERS_MAX]:
        for key, name in GAUGES.items():
            if key in values:
                yield Sample(name, {"peer": peer}, float(values[key]))


class Peers:
    """Reads the file of a node's runtime directory at each tick; None: there is no such folder."""

    def __init__(
        self,
        runtime_dir: Path | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._runtime_dir = runtime_dir
        self._now = now

    def read(self) -> Iterator[Sample]:
        """Yield the values of each peer, and the agent's counters."""
        if self._runtime_dir is None:
            raise NoDevice("no runtime directory is named")
        try:
            text = (self._runtime_dir / FILE).read_text(encoding="utf-8")
        except FileNotFoundError as exc:
            raise NoDevice("the node agent has measured no peer yet") from exc
        yield from parse(text, self._now())
