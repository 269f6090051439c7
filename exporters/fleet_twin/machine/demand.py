"""What an owner asks of a machine, now and in an invented past: load, memory, VRAM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_twin.machine.kinds import GIB

if TYPE_CHECKING:
    from fleet_twin.machine.kinds import Kind
    from fleet_twin.machine.owner import Doing


@dataclass(frozen=True)
class Demand:
    """Shares of the CPU and of the first card; bytes beside those of an idle machine."""

    cpu_load: float
    card_load: float
    memory_bytes: int
    vram_bytes: int


DEMANDS: dict[Doing, Demand] = {
    "away": Demand(0.03, 0.0, 0, 0),
    "work": Demand(0.20, 0.04, 3 * GIB, 0),
    "game": Demand(0.42, 0.92, 7 * GIB, int(5.5 * GIB)),
}
DESKTOP_VRAM_BYTES = int(0.6 * GIB)


def decide_idle_memory(kind: Kind) -> float:
    """Return the bytes in use while nobody asks for anything."""
    return 0.14 * kind.memory_bytes if kind.is_raspberry else 3.2 * GIB
