"""
The JSON values in the body of an answer, as servers really send it. Pure.

Server-sent events are the rule. Beside them stands what servers and proxies make of them: one JSON
document instead of a stream, an error in a line of its own, no empty line between two events.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from fleet_orchestrator.model_server.endpoint_error import SAID_CHARACTERS_MAX, EndpointError

if TYPE_CHECKING:
    from collections.abc import Iterator

DONE = "[DONE]"
SIZE_MAX = 2**20  # bytes of a line, characters of an event or document; more is no answer
# `error` is no field of the standard: older llama.cpp reports its errors in it.
FIELDS = frozenset({"data", "event", "id", "retry", "error"})


@dataclass
class EventStream:
    """
    Collects bytes, cut anywhere; hands out each JSON value as soon as it is complete.

    What an error event holds comes as {"error": ...}. `beginning` is what the server sent first.
    """

    beginning: str = ""
    is_done: bool = False
    _has_values: bool = False
    _line: bytes = b""
    _event: str = ""
    _data: str = ""
    _document: str = ""

    def feed(self, data: bytes) -> Iterator[Any]:
        """Yield the values that these bytes completed, in order. Raises EndpointError."""
        if len(self.beginning) < SAID_CHARACTERS_MAX:
            self.beginning += data.decode("utf-8", "replace")
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            yield from self._take_line(line)
        if max(len(self._line), len(self._data), len(self._document)) > SIZE_MAX:
            self._refuse()

    def close(self) -> Iterator[Any]:
        """Yield what lacked only the end of its line. Raises EndpointError."""
        yield from self._take_line(self._line)
        yield from self._take_line(b"")
        if self._document and not self.is_done:
            raise EndpointError("broken_stream", self.beginning)

    def _take_line(self, raw: bytes) -> list[Any]:
        if self.is_done:
            return []
        line = raw.removesuffix(b"\r").decode("utf-8", "replace").removeprefix("\ufeff")
        values = self._read_line(line)
        self._has_values |= bool(values)
        return values

    def _read_line(self, line: str) -> list[Any]:
        name, colon, value = line.partition(":")
        if not line:
            return self._end_event()
        if colon and name in FIELDS:
            return self._read_field(name, value.removeprefix(" "))
        text = line.strip()
        if text.startswith("<"):
            self._refuse()
        if self._document or text.startswith(("{", "[")):
            self._document += f"{line}\n"
            return self._read_document() if text.endswith(("}", "]")) else []
        return []  # a comment, sent to keep the connection open, or a field that nobody knows

    def _read_field(self, name: str, value: str) -> list[Any]:
        if name == "event":
            self._event = value
        if name == "error":
            return [{"error": next(iter(_parse(value)), value)}]
        if name != "data":
            return []
        if value.strip() == DONE:
            self.is_done = True
            return []
        self._data += f"{value}\n"
        for parsed in _parse(self._data):
            self._data = ""
            return self._spread(parsed)
        return []  # the event may go on in the next line

    def _end_event(self) -> list[Any]:
        data, self._data = self._data.strip(), ""
        event, self._event = self._event, ""
        if event == "error" and data:
            return [{"error": data}]
        if data:
            self._refuse()
        return []

    def _read_document(self) -> list[Any]:
        for parsed in _parse(self._document):
            self._document = ""
            return self._spread(parsed)
        return []

    def _spread(self, parsed: Any) -> list[Any]:
        if self._event == "error":
            return [parsed if isinstance(parsed, dict) and "error" in parsed else {"error": parsed}]
        return parsed if isinstance(parsed, list) else [parsed]

    def _refuse(self) -> NoReturn:
        raise EndpointError("broken_stream" if self._has_values else "not_a_stream", self.beginning)


def _parse(text: str) -> list[Any]:
    """Return the JSON value as the only item; none for what is no JSON, or not yet."""
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return []
