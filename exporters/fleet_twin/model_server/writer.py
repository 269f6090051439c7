"""The text of an answer: what the call asks for, in the form that it asks for. Pure."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet_twin.faults import BAD_OUTPUT
from fleet_twin.model_server.prompt_reader import (
    decide_copy,
    read_begun,
    read_call,
    read_written,
)
from fleet_twin.model_server.speech.flaws import write_turn
from fleet_twin.model_server.speech.phrases import read_phrases

if TYPE_CHECKING:
    from fleet_twin.model_server.chat import Chat
    from fleet_twin.model_server.speech.speaker import Call

LENGTH_MAX = 4000  # characters of a string whose schema sets no limit


def write_answer(chat: Chat, seed: int, faults: frozenset[str]) -> str:
    """Return all that the model would say, before any limit of tokens."""
    call = read_call(chat)
    begun = read_begun(chat)
    if call and begun and len(begun) <= len(call.lines):
        return _continue(call, begun, seed, faults)
    if chat.beginning:
        return decide_copy(chat) or f" {_hello(seed, faults)}"
    if chat.schema is not None:
        writer = _Filler(call, read_written(chat), seed, faults)
        return json.dumps(writer.fill(chat.schema), ensure_ascii=False)
    return _hello(seed, faults)


def _continue(call: Call, begun: list[dict[str, Any]], seed: int, faults: frozenset[str]) -> str:
    """Return the rest of a JSON string, and the end of the JSON."""
    said = [str(turn.get("text", "")) for turn in begun[:-1]]
    text = write_turn(call, len(said), said, seed, faults)
    spoken = str(begun[-1]["text"])
    rest = text[len(spoken) :] if text.startswith(spoken) else f" {text}" if spoken else text
    return json.dumps(rest, ensure_ascii=False)[1:] + "}]}"


def _hello(seed: int, faults: frozenset[str]) -> str:
    phrases, draw = read_phrases(), random.Random(seed)  # noqa: S311 - repeatable, not secret
    if BAD_OUTPUT in faults:
        return " ".join(draw.choices(phrases.nonsense, k=4))
    return draw.choice(phrases.hello)


@dataclass
class _Filler:
    """Fills a schema as a grammar makes a model do; `said` are the turns so far."""

    call: Call | None
    said: list[str]
    seed: int
    faults: frozenset[str]

    def fill(self, schema: dict[str, Any]) -> Any:
        """Return a value that the schema allows."""
        if "const" in schema:
            return schema["const"]
        kind = schema.get("type")
        if kind == "object":
            return {name: self.fill(part) for name, part in schema.get("properties", {}).items()}
        if kind == "array":
            return self._fill_array(schema)
        if kind == "string" and "enum" not in schema:
            return self._speak(schema)
        return self._choose(schema)

    def _fill_array(self, schema: dict[str, Any]) -> list[Any]:
        positions = schema.get("prefixItems", [])
        more = max(0, schema.get("minItems", 0) - len(positions))
        return [self.fill(item) for item in (*positions, *[schema.get("items", {})] * more)]

    def _choose(self, schema: dict[str, Any]) -> Any:
        draw = random.Random(f"{self.seed} {len(self.said)}")  # noqa: S311 - as above
        if "enum" in schema:
            return draw.choice(schema["enum"])
        if schema.get("type") == "boolean":
            return draw.random() < 0.5
        low = int(schema.get("minimum", 1))
        return draw.randint(low, int(schema.get("maximum", low + 9)))

    def _speak(self, schema: dict[str, Any]) -> str:
        index = len(self.said)
        if self.call and index < len(self.call.lines):
            text = write_turn(self.call, index, self.said, self.seed, self.faults)
            self.said.append(text)
        else:
            text = _hello(self.seed, self.faults)
        text = text[: schema.get("maxLength", LENGTH_MAX)]
        return text.ljust(schema.get("minLength", 0), ".")
