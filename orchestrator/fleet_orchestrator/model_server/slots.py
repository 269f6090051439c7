"""
Which of a server's slots a conversation keeps, so that each turn finds the one before in the cache.

llama.cpp alone has slots; it gives a call to the one whose last prompt has most in common with it.
All our prompts begin alike, so without a word of ours two conversations take turns in one slot and
push each other out, while the other slots stay empty.
"""

from __future__ import annotations

from typing import Any


def decide_slot(slots: Any) -> int | None:
    """
    Return the free slot that was left longest ago, out of an answer of /slots.

    That is the one least likely to be another conversation's between two turns. None when the
    server has no slots or only one, or all are busy: it then does best by itself.
    """
    listed = slots if isinstance(slots, list) else []
    known = [slot for slot in listed if isinstance(slot, dict) and isinstance(slot.get("id"), int)]
    free = [slot for slot in known if slot.get("is_processing") is False]
    if len(known) < 2 or not free:
        return None
    return min((_last_task(slot), int(slot["id"])) for slot in free)[1]


def _last_task(slot: dict[str, Any]) -> int:
    """Return the number of the task that a slot had last; they count up."""
    task = slot.get("id_task")
    return task if isinstance(task, int) else -1
