"""Take turns out of a JSON answer while it is still being written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from fleet_orchestrator.model_server.answer import clean

_DECODER = json.JSONDecoder()


@dataclass
class TurnStream:
    """Collects pieces of {"turns": [{...}, ...]}; hands out each turn as soon as it is complete."""

    text: str = ""
    _offset: int = field(default=0, init=False)
    _is_open: bool = field(default=False, init=False)

    def feed(self, piece: str) -> list[dict[str, str]]:
        """Return the turns that this piece completed, in order; most pieces complete none."""
        self.text += piece
        if not self._is_open:
            start = self.text.find("[")
            if start < 0:
                return []
            self._is_open, self._offset = True, start + 1
        done = []
        while (turn := self._next_turn()) is not None:
            done.append(turn)
        return done

    def _next_turn(self) -> dict[str, str] | None:
        start = self.text.find("{", self._offset)
        if start < 0:
            return None
        try:
            turn, self._offset = _DECODER.raw_decode(self.text, start)
        except (ValueError, RecursionError):
            return None  # not complete yet
        if not isinstance(turn, dict):
            return None
        # What the JSON of the answer escapes, the parser of the answer has not seen.
        return {
            key: clean(value) if isinstance(value, str) else value for key, value in turn.items()
        }
