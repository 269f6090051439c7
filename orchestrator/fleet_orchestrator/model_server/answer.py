"""
What a chat completion says and costs, out of the body that the server sends. Pure.

Stands between the client library and the conversation: fields may be missing, null or of another
type, and the answer may come as a stream or whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fleet_orchestrator.model_server.endpoint_error import EndpointError
from fleet_orchestrator.model_server.event_stream import EventStream
from fleet_orchestrator.model_server.thoughts import ThoughtFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

THOUGHTS = ("reasoning_content", "reasoning")  # llama.cpp and vLLM; Ollama and OpenRouter


@dataclass(frozen=True)
class Piece:
    """A piece of the answer; its text is empty while the model thinks."""

    text: str
    tokens: int = 1  # one piece a token, until the server says better


@dataclass(frozen=True)
class Usage:
    """What the server has counted so far; None is what it does not tell."""

    prompt_tokens: int | None
    completion_tokens: int | None
    cached_prompt_tokens: int | None


@dataclass(frozen=True)
class End:
    """The model has ended its answer, for this reason: mostly stop or length."""

    reason: str


@dataclass(frozen=True)
class Model:
    """The name that the server gives to its model; told once, and again if it changes."""

    name: str


Event = Piece | Usage | End | Model


@dataclass
class Answer:
    """Collects the bytes of one answer, cut anywhere; hands out what they say."""

    _stream: EventStream = field(default_factory=EventStream)
    _thoughts: ThoughtFilter = field(default_factory=ThoughtFilter)
    _model: str = ""
    _half: str = ""  # of a character that two pieces share
    _has_choices: bool = False
    _has_text: bool = False
    _has_end: bool = False

    @property
    def is_done(self) -> bool:
        """True when nothing of the answer can follow."""
        return self._stream.is_done

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield what these bytes say. Raises EndpointError."""
        for value in self._stream.feed(data):
            yield from self._read(value)

    def close(self, *, may_be_empty: bool = False) -> Iterator[Event]:
        """
        Yield what was held back at the end of the body.

        An answer without a word is an error, unless it may be empty and the server has ended it.
        Raises EndpointError.
        """
        for value in self._stream.close():
            yield from self._read(value)
        if last := self._clean(self._thoughts.close(), is_last=True):
            self._has_text = True
            yield Piece(last, tokens=0)
        if self._has_text or (may_be_empty and self._has_end):
            return
        said = self._stream.beginning
        is_answer = self._has_choices or self._stream.is_done or not said.strip()
        raise EndpointError("empty" if is_answer else "not_a_stream", said)

    def _read(self, value: Any) -> Iterator[Event]:
        if not isinstance(value, dict):
            return
        if error := value.get("error") or (value.get("object") == "error" and value):
            raise EndpointError("error_event", render_said(error))
        name = value.get("model")
        if isinstance(name, str) and name not in {"", self._model}:
            self._model = name
            yield Model(name)
        choices = value.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("index") in (0, None):
                self._has_choices = True
                yield from self._read_choice(choice)
        if usage := parse_usage(value):
            yield usage

    def _read_choice(self, choice: dict[str, Any]) -> Iterator[Event]:
        message = choice.get("delta") or choice.get("message")  # a part, or the whole
        if isinstance(message, dict):
            content = parse_content(message.get("content"))
            if content is not None:
                text = self._clean(self._thoughts.feed(content))
                self._has_text |= bool(text)
                yield Piece(text)
            elif any(message.get(name) for name in THOUGHTS):
                yield Piece("")
        reason = choice.get("finish_reason")
        if reason:
            self._has_end = True
            yield End(str(reason))

    def _clean(self, text: str, *, is_last: bool = False) -> str:
        """Join halves of characters; leave out what no database stores."""
        text, self._half = self._half + text, ""
        if not is_last and "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return clean(text)


def clean(text: str) -> str:
    r"""Return text that can be stored: \ud83d\ude00 is one sign, half of it and NUL are lost."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return whole.replace("\0", "")


def parse_content(content: Any) -> str | None:
    """
    Return the text of a message: a string, or a list of parts of which some are text.

    None when there is nothing; empty when there are only parts of other kinds.
    """
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        texts = [part for part in parts if isinstance(part, str)]
        return "".join(texts) if content else None
    return content if isinstance(content, str) and content else None


def parse_usage(value: dict[str, Any]) -> Usage | None:
    """Return what a chunk tells of tokens, also in llama.cpp's timings; None for nothing."""
    usage, timings = _dict(value.get("usage")), _dict(value.get("timings"))
    cached = _count(_dict(usage.get("prompt_tokens_details")).get("cached_tokens"))
    cached = _count(timings.get("cache_n")) if cached is None else cached
    prompt = _count(usage.get("prompt_tokens"))
    if prompt is None and (read := _count(timings.get("prompt_n"))) is not None:
        prompt = read + (cached or 0)
    completion = _count(usage.get("completion_tokens"))
    completion = _count(timings.get("predicted_n")) if completion is None else completion
    # No prompt and no answer is of no token: a zero means that the server has not counted.
    told = Usage(prompt or None, completion or None, cached)
    return told if told != Usage(None, None, None) else None


def render_said(error: Any) -> str:
    """Return what an error object says to people."""
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else json.dumps(error, ensure_ascii=False)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count else None
