"""
Bodies of answers as different servers send them, with what is right to read out of them.

`render` draws one at random; the shapes themselves also have names, for tests of one of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

THOUGHT = 'Let me see: [1] {"turns": [{"speaker": "agent"}]} <b>'
FAILURES = {
    "error_event": [
        b'data: {"error": {"code": 500, "message": "slot is gone"}}\n\n',  # llama.cpp
        b'error: {"code": 500, "message": "slot is gone", "type": "server_error"}\n\n',  # older
        b'{"error": "slot is gone"}\n',  # Ollama
        b'{\n  "error": {\n    "message": "slot is gone"\n  }\n}\n',  # a proxy, in the middle
        b'event: error\r\ndata: {"message": "slot is gone"}\r\n\r\n',  # LM Studio
        b"event: error\ndata: slot is gone\n\n",
        b'data: {"object": "error", "message": "slot is gone", "code": 400}\n\n',  # vLLM
        b'[{"error": {"message": "slot is gone"}}]',  # hosted
    ],
    "broken_stream": [
        b"<html>bad gateway</html>\n",
        b"data: <html>bad gateway</html>\n\n",
        b'data: {"choices": [{"delta"\n\n',
        b'{"choices": [{"delta"',
    ],
}


@dataclass(frozen=True)
class Expected:
    """What is to be read out of a body; `kind` of the error, None when there is none."""

    text: str
    prompt_tokens: int | None
    completion_tokens: int
    kind: str | None = None


def chunk(delta, *, reason=None, **rest):
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
        **rest,
    }


def whole(text, usage, *, indent=None):
    """An answer that is no stream, although one was asked for."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    value = {"object": "chat.completion", "choices": [choice], "usage": usage}
    return json.dumps(value, indent=indent, ensure_ascii=False).encode()


def cut(rng, text, most=12):
    """Cut into pieces at random."""
    pieces = []
    while text:
        size = rng.randint(1, most)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def noise(rng):
    """Chunks that say nothing."""
    return rng.choice([
        {"choices": None}, {}, {"choices": []}, {"error": None, "choices": []}, [], None, 7,
        chunk({"role": "assistant", "content": None}), chunk({"content": ""}), chunk(None),
        chunk({}), {"choices": [{"delta": {"content": "second choice"}, "index": 1}]},
        {"choices": [None]}, chunk({"content": 7}), chunk({"tool_calls": []}), {"usage": None},
        {"choices": [{}], "usage": {"prompt_tokens": None, "completion_tokens": None}},
    ])  # fmt: skip


def contents(rng, text):
    """One piece as a string or as a list of parts."""
    if rng.random() < 0.3:
        half = rng.randint(0, len(text))
        return [{"type": "text", "text": text[:half]}, {"type": "text", "text": text[half:]}]
    return text


def render(rng, text):
    """Return a body that says the text, and what is to be read out of it."""
    style = rng.choice(["content", "reasoning_content", "reasoning", "none"])
    before, after = rng.choice(["", " ", "\n"]), rng.choice(["", "\n\n"])
    thought = f"{before}<think>{THOUGHT}</think>{after}"
    said = cut(rng, thought + text if style == "content" else text)
    chunks = [chunk({"content": contents(rng, piece)}) for piece in said]
    if style.startswith("reasoning"):
        chunks[:0] = [chunk({style: piece, "content": None}) for piece in cut(rng, THOUGHT)]
    tokens = len(chunks)
    prompt = completion = None
    last = rng.choice([chunk(None, reason="stop"), chunk({}, reason="length"),
                       chunk({"role": "assistant", "content": ""}, reason="stop")])  # fmt: skip
    usage = rng.choice(["finish", "own", "null", "none"])
    if usage in {"finish", "own"}:
        prompt, completion = rng.randint(1, 999), rng.randint(1, 999)
        told = {"prompt_tokens": prompt, "completion_tokens": completion}
        tail = [last | {"usage": told}] if usage == "finish" else [last, {"usage": told}]
    else:
        tail = [last | ({"usage": {"prompt_tokens": None}} if usage == "null" else {})]
    for _ in range(rng.randint(0, 6)):
        chunks.insert(rng.randint(0, len(chunks)), noise(rng))
    kind = rng.choice([None, None, None, *FAILURES])
    if kind:
        body = write(rng, chunks, "") + rng.choice(FAILURES[kind])
        return body, Expected(text, None, tokens, kind)
    body = write(rng, chunks + tail, rng.choice(["data: [DONE]", "data:[DONE]", ""]))
    return body, Expected(text, prompt, completion or tokens)


def write(rng, chunks, done):
    """Write chunks as server-sent events, each in a way that some server has."""
    end = rng.choice(["\n", "\r\n"])
    lines = [rng.choice(["", "\ufeff"]) + rng.choice(["", ": keep-alive", "retry: 3000"])]
    for value in chunks:
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
        before = rng.choice([[], [], [": ping", ""], ["id: 7"], ["event: message"], ["unknown: x"]])
        datas = [f"data:{rng.choice(['', ' '])}{text}"]
        if rng.random() < 0.1:
            datas = [f"data: {part}" for part in json.dumps(value, indent=1).split("\n")]
        # Two events may follow each other without the empty line that belongs between them.
        after = [] if rng.random() < 0.1 else [""]
        lines += [*before, *datas, *after]
    return (end.join([*lines, "", done, *(["", ""] if done else [])])).encode()
