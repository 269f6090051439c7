"""One scan of all processes answers three questions: Steam, listed executables, foreign CPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fleet_exporters.decision.activity import Signals
from fleet_exporters.signals import executables
from fleet_exporters.signals.foreign_cpu import ForeignCpu
from fleet_exporters.signals.processes import find_tree, make_reader
from fleet_exporters.signals.steam import Steam

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from fleet_exporters.signals.processes import Process


class Scan:
    """Scans when asked; remembers which processes are ours."""

    def __init__(
        self,
        listed: frozenset[str],
        read_own_ids: Callable[[], Collection[int]],
        processes: Callable[[Collection[int]], list[Process]] | None = None,
        cpu: ForeignCpu | None = None,
    ) -> None:
        self._listed = listed
        self._read_own_ids = read_own_ids
        self._processes = processes or make_reader()
        self._steam = Steam()
        self._last: list[Process] = []
        self._cpu = cpu or ForeignCpu()
        self._ours: set[int] = set()

    def is_ours(self, pid: int) -> bool:
        """Tell whether a process was ours at the last scan."""
        return pid in self._ours

    def latest(self) -> list[Process]:
        """Return the processes of the last scan; of one of now while there was none."""
        return self._last or make_reader()(())

    def read(self) -> Signals:
        """
        Return what the processes tell.

        Foreign CPU is unknown while nobody says which processes are ours; listed games are while
        none are listed.
        """
        named = set(self._read_own_ids())
        roots = named | {os.getpid()}
        self._last = found = self._processes(self._ours | roots)
        self._ours = find_tree(found, roots)
        share = self._cpu.read(found, self._ours)
        return Signals(
            steam_game=self._steam.find_game(found),
            listed_game=executables.find_listed(found, self._listed) if self._listed else None,
            foreign_cpu_ratio=share if named else None,
        )
