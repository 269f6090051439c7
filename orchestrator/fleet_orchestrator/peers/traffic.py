"""Why a node takes part in no measuring of throughput now: its owner, heat, or its own traffic."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from fleet_orchestrator.owner import read_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

BUSY_SHARE = 0.3  # of a link
SPEED_UNKNOWN = (0, 65535)  # how psutil says that a driver tells none (Wi-Fi, virtual)
# What is taken for such a link: busy at 30 Mbit/s.
SPEED_ASSUMED = 12_500_000.0  # bytes per second
BYTES_PER_MEGABIT = 125_000
LOOPBACK = ("lo", "Loopback")
MODES = {"gaming": "gaming", "work": "work", "throttling": "hot"}


@dataclass(frozen=True)
class Link:
    """A network device: bytes in and out since boot, and how many a second it can do."""

    received: int
    sent: int
    speed: float = SPEED_ASSUMED


def read_links() -> dict[str, Link]:
    """Return the devices that are up, but for loopback."""
    states = psutil.net_if_stats()
    links = {}
    for name, io in psutil.net_io_counters(pernic=True).items():
        state = states.get(name)
        if state is None or not state.isup or name.startswith(LOOPBACK):
            continue
        known = state.speed not in SPEED_UNKNOWN
        speed = state.speed * BYTES_PER_MEGABIT if known else SPEED_ASSUMED
        links[name] = Link(io.bytes_recv, io.bytes_sent, speed)
    return links


def is_busy(before: Mapping[str, Link], now: Mapping[str, Link], seconds: float) -> bool:
    """True where a device has had more than its share of traffic one way between two looks."""
    return any(
        max(link.received - before[name].received, link.sent - before[name].sent)
        > BUSY_SHARE * link.speed * seconds
        for name, link in now.items()
        if name in before
    )


def decide_held_back(state: Mapping[str, Any] | None, *, is_busy: bool) -> str | None:
    """
    Return why nothing is sent or taken now; None where nothing speaks against it.

    `state` is the exporter's state.json; None while it says nothing fresh.
    """
    if state is None:
        return "unknown"
    return MODES.get(state.get("mode", ""), "busy" if is_busy else None)


class Restraint:
    """Knows at any moment whether this node may take part; cheap to ask."""

    def __init__(
        self,
        folder: Path,
        links: Callable[[], Mapping[str, Link]] = read_links,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._links = links
        self._clock = clock
        self._before: tuple[float, Mapping[str, Link]] | None = None
        self._is_busy = False

    def look(self) -> None:
        """Look at the traffic since the last look."""
        now, links = self._clock(), self._links()
        if self._before is not None and now > self._before[0]:
            self._is_busy = is_busy(self._before[1], links, now - self._before[0])
        self._before = now, links

    def reason(self) -> str | None:
        """Return why not, if so."""
        return decide_held_back(read_state(self._folder), is_busy=self._is_busy)
