"""
Ask for one turn at a time.

The last message of a call is the beginning of the assistant's answer: the JSON of the turns so far,
ended inside the words of the next one. The model writes spoken words and nothing else; all that it
would only repeat is read, not written, and a server that keeps what it has read reads it once: each
prompt begins with the whole of the one before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_orchestrator.generation.method import StartsOverError
from fleet_orchestrator.generation.prompt import render_beginning, render_messages
from fleet_orchestrator.model_server.answer import clean
from fleet_orchestrator.model_server.endpoint import Request

if TYPE_CHECKING:
    from fleet_orchestrator.generation.method import Draft, Limits, Reader

# How an answer begins that is none to a beginning: the JSON again, or a word to its reader.
STARTS_OVER = re.compile(
    r"\s*(?:```|[\[{]\s*[\[{\"\n]|(?:Sure|Certainly|Of course)\W+here(?:'s| is| are)\W+the\b"
    r"|Here(?:'s| is)\W+the (?:JSON|continu|conversation|rest|transcript))",
    re.IGNORECASE,
)
REPEATED_CHARACTERS_MIN = 20  # a shorter greeting may well be said again
ESCAPES = {"b": " ", "f": " ", "n": " ", "r": " ", "t": " "}
ESCAPE = re.compile(r"\\(?:u(?P<code>[0-9a-fA-F]{4})|(?P<sign>[^u]))", re.DOTALL)
OPEN_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
END = re.compile(r"[\"\r\n]")


@dataclass
class WordsReader:
    """
    Takes one turn's words out of the continuation of a JSON string.

    They end at the first quote that is not escaped, or at a line break, or with the answer.
    `opening` is the first turn where the second one follows: a server that starts over says it
    again; later on it is a model that repeats itself.
    """

    opening: str = ""
    is_done: bool = False
    _words: str = ""  # what is decoded
    _rest: str = ""  # the beginning of an escape
    _raw: str = field(default="", repr=False)

    def feed(self, piece: str) -> list[str]:
        """Return the words once they are complete. Raises StartsOverError."""
        if self.is_done:
            return []
        self._raw += piece
        if STARTS_OVER.match(self._raw):
            raise StartsOverError("the server starts over instead of continuing an answer")
        self._decode(self._rest + piece)
        if len(self.opening) >= REPEATED_CHARACTERS_MIN and self._words.startswith(self.opening):
            raise StartsOverError("the server repeats an answer instead of continuing it")
        return [clean(self._words)] if self.is_done else []

    def end(self) -> list[str]:
        """Return the words that the end of the answer cut off."""
        return [clean(self._words)]

    def _decode(self, text: str) -> None:
        position = 0
        while position < len(text) and not self.is_done:
            if text[position] != "\\":
                self.is_done = bool(END.match(text, position))
                self._words += "" if self.is_done else text[position]
                position += 1
            elif OPEN_ESCAPE.match(text, position):
                break
            elif found := ESCAPE.match(text, position):
                self._words += _decode_escape(found)
                position = found.end()
            else:
                position += 1  # \u without a number
        self._rest = text[position:]


class LineByLine:
    """One call a turn."""

    def render_request(
        self, draft: Draft, limits: Limits, *, seed: int, temperature: float
    ) -> Request:
        """Return the call for the next turn."""
        beginning = render_beginning(draft.outline, [turn["text"] for turn in draft.turns])
        return Request(
            messages=[
                *render_messages(draft.template, draft.definition, draft.persona, draft.outline),
                {"role": "assistant", "content": beginning},
            ],
            schema=None,
            seed=seed,
            temperature=temperature,
            seconds_max=limits.request_seconds_max,
            tokens_max=limits.turn_tokens_max,
            continues=True,
        )

    def make_reader(self, draft: Draft) -> Reader:
        """Return the reader of one turn's words."""
        return WordsReader(draft.turns[0]["text"] if len(draft.turns) == 1 else "")


def _decode_escape(found: re.Match[str]) -> str:
    if code := found["code"]:
        return chr(int(code, 16))
    return ESCAPES.get(found["sign"], found["sign"])
