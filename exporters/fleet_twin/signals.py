"""What the exporter would learn of the owner's activity from a simulated machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_exporters.decision.activity import Signals

if TYPE_CHECKING:
    from fleet_twin.machine.simulation import Machine

GAME = "Cyberpunk2077.exe"
FOREIGN_CPU = {"away": 0.02, "work": 0.12, "game": 0.40}


def read_signals(machine: Machine) -> Signals:
    """Return the signals that such a system can give; None is unknown there."""
    kind, doing = machine.kind, machine.doing
    foreign = FOREIGN_CPU[doing]
    if kind.habit == "nobody":
        return Signals(is_interactive=False, foreign_cpu_ratio=foreign)
    away = (machine.now or 0.0) - machine.doing_since + 600.0
    idle = away if doing == "away" else 2.0
    is_gaming = doing == "game"
    if kind.is_windows:
        return Signals(
            steam_game=GAME if is_gaming else "",
            is_full_screen=is_gaming,
            input_idle_seconds=idle,
            is_interactive=True,
            foreign_cpu_ratio=foreign,
            graphics_process=GAME if is_gaming else None,
            graphics_ratio=0.9 if is_gaming else 0.0,
        )
    return Signals(
        gamemode_games=int(is_gaming),
        input_idle_seconds=idle,
        is_interactive=True,
        foreign_cpu_ratio=foreign,
        is_on_battery=machine.is_unplugged if kind.has_battery else None,
    )
