"""
The slots of one model server: as many calls at once, each with the prompt it had last in its cache.

A call without a slot of its choice gets the one that has most in common with it, as llama.cpp does.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_twin.model_server.tokens import find_common

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SIMILAR_SHARE = 0.1  # of a prompt that a slot must hold to be chosen for it


@dataclass
class Slot:
    """A place for one call; `text` is what is in its cache, `task` the number of its last call."""

    number: int
    task: int = -1
    is_busy: bool = False
    text: str = ""


@dataclass
class Slots:
    """All slots of a server, and those who wait for one."""

    slots: list[Slot] = field(default_factory=list)
    _tasks: int = 0
    _freed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def busy(self) -> int:
        """How many slots have a call."""
        return sum(slot.is_busy for slot in self.slots)

    def resize(self, count: int) -> None:
        """Have so many slots; those that are busy stay."""
        while len(self.slots) < max(1, count):
            self.slots.append(Slot(len(self.slots)))
        while len(self.slots) > max(1, count) and not self.slots[-1].is_busy:
            self.slots.pop()

    @asynccontextmanager
    async def take(self, prompt: str, wanted: int | None) -> AsyncIterator[Slot]:
        """Hold a slot for one call; wait until one is free."""
        async with self._freed:
            slot = await self._freed.wait_for(lambda: choose_slot(self.slots, prompt, wanted))
            if slot is None:  # that is what was waited for
                raise RuntimeError("no slot is free")
            slot.is_busy, slot.task = True, self._tasks
            self._tasks += 1
        try:
            yield slot
        finally:
            slot.is_busy = False
            async with self._freed:
                self._freed.notify_all()


def choose_slot(slots: list[Slot], prompt: str, wanted: int | None) -> Slot | None:
    """Return the slot for a prompt: the wanted one, the most alike, the one unused for longest."""
    if wanted is not None and wanted < len(slots):
        return None if slots[wanted].is_busy else slots[wanted]
    free = [slot for slot in slots if not slot.is_busy]
    if not free:
        return None
    alike = [(len(find_common(slot.text, prompt)), slot.number) for slot in free]
    most, number = max(alike)
    if most >= SIMILAR_SHARE * len(prompt):
        return slots[number]
    return min(free, key=lambda slot: slot.task)
