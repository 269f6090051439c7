"""
Find the executables that the owner has listed as games (FLEET_GAME_EXECUTABLES).

By hand: `pgrep -x NAME`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet_exporters.signals.processes import Process


def parse_list(text: str) -> frozenset[str]:
    """Return the file names of a comma-separated list, in lower case."""
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())


def find_listed(processes: Iterable[Process], listed: frozenset[str]) -> str:
    """Return the first listed executable that runs; empty when none does."""
    return next((p.name for p in processes if p.name.lower() in listed), "")
