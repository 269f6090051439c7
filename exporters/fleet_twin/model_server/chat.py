"""What a chat completion asks for, out of its body. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

TOKENS_MAX = 2048  # of an answer, where the call sets no limit of its own


class BadRequestError(ValueError):
    """A body that no model server could answer; the message says what is wrong with it."""


@dataclass(frozen=True)
class Chat:
    """
    One call: its messages, and how they are to be answered.

    `seed` is None where the server is to draw one; `counts_each_piece` asks for llama.cpp's
    timings with each piece of the stream.
    """

    messages: tuple[tuple[str, str], ...]  # role, content
    schema: dict[str, Any] | None
    seed: int | None
    tokens_max: int
    stop: tuple[str, ...]
    is_stream: bool
    tells_usage: bool
    counts_each_piece: bool
    slot: int | None

    @property
    def beginning(self) -> str:
        """The beginning of the answer that is to be continued; empty where there is none."""
        role, content = self.messages[-1]
        return content if role == "assistant" else ""

    @cached_property
    def prompt(self) -> str:
        """All that the model reads, as a chat template lays it out."""
        text = "".join(
            f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in self.messages
        )
        if self.beginning:
            return text.removesuffix("<|im_end|>\n")
        return text + "<|im_start|>assistant\n"


def parse_chat(body: bytes) -> Chat:
    """Return the call in a body. Raises BadRequestError."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise BadRequestError(f"the body is no JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise BadRequestError("the body is no JSON object")
    format_ = _dict(value.get("response_format"))
    schema = _dict(format_.get("json_schema")).get("schema") or format_.get("schema")
    stop = value.get("stop") or []
    tokens_max = _int(value.get("max_tokens")) or _int(value.get("max_completion_tokens"))
    return Chat(
        messages=_parse_messages(value.get("messages")),
        schema=schema if isinstance(schema, dict) else None,
        seed=_int(value.get("seed")),
        tokens_max=tokens_max or TOKENS_MAX,
        stop=tuple(map(str, [stop] if isinstance(stop, str) else stop)),
        is_stream=value.get("stream") is True,
        tells_usage=_dict(value.get("stream_options")).get("include_usage") is True,
        counts_each_piece=value.get("timings_per_token") is True,
        slot=_int(value.get("id_slot")),
    )


def _parse_messages(messages: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(messages, list) or not messages:
        raise BadRequestError("'messages' is required")
    parsed = []
    for message in messages:
        content = _dict(message).get("content")
        if isinstance(content, list):
            content = "".join(str(_dict(part).get("text") or "") for part in content)
        if not isinstance(content, str):
            raise BadRequestError("each message needs a role and its content")
        parsed.append((str(message.get("role")), content))
    return tuple(parsed)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _int(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
