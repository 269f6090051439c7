"""Take what a model thinks out of what it says. Pure."""

from __future__ import annotations

from dataclasses import dataclass

OPEN, CLOSE = "<think>", "</think>"


@dataclass
class ThoughtFilter:
    """
    Collects pieces of text; hands out those that are no thought.

    A model thinks before it speaks: tags behind the first word are words.
    """

    _held: str = ""
    _is_thinking: bool = False
    _has_thought: bool = False
    _has_spoken: bool = False

    def feed(self, piece: str) -> str:
        """Return what of this piece, and of what was held back before it, was said."""
        if self._has_spoken:
            return piece
        self._held += piece
        while True:
            if self._is_thinking:
                _, tag, rest = self._held.partition(CLOSE)
                if not tag:
                    return ""
                self._is_thinking, self._held = False, rest
            text = self._held.lstrip()
            if text.startswith(OPEN):
                self._is_thinking = self._has_thought = True
                self._held = text.removeprefix(OPEN)
            elif OPEN.startswith(text):
                return ""  # empty, or the beginning of the tag
            else:
                return self._release()

    def close(self) -> str:
        """Return what was held back and turned out to be said."""
        return "" if self._is_thinking or self._has_spoken else self._release()

    def _release(self) -> str:
        self._has_spoken = True
        return self._held.lstrip() if self._has_thought else self._held
