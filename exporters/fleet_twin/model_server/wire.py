"""HTTP/1.1 as far as clients of a model server speak it, over asyncio's streams."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 4 * 1024 * 1024
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}


@dataclass(frozen=True)
class Request:
    """One request; its path without what follows a question mark."""

    method: str
    path: str
    body: bytes


async def read_request(reader: StreamReader) -> Request | None:
    """Return the next request; None when there is none any more, or nothing that is one."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = dict(_parse_header(line) for line in lines if line)
        length = int(headers.get("content-length", 0))
        if length > BODY_BYTES_MAX:
            return None
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
        return None
    return Request(method, target.partition("?")[0], body)


def send_json(writer: StreamWriter, value: Any, status: int = 200) -> None:
    """Send a whole JSON answer."""
    body = json.dumps(value, ensure_ascii=False).encode()
    send_whole(writer, body, "application/json; charset=utf-8", status)


def send_whole(writer: StreamWriter, body: bytes, content_type: str, status: int = 200) -> None:
    """Send a whole answer."""
    writer.write(_render_head(content_type, f"Content-Length: {len(body)}", status) + body)


def begin_events(writer: StreamWriter) -> None:
    """Send the head of a stream of events."""
    writer.write(_render_head("text/event-stream", "Transfer-Encoding: chunked", 200))


def send_event(writer: StreamWriter, data: str) -> None:
    """Send one event."""
    body = f"data: {data}\n\n".encode()
    writer.write(b"%x\r\n%s\r\n" % (len(body), body))


def end_events(writer: StreamWriter) -> None:
    """End a stream of events; the connection can be used again."""
    send_event(writer, "[DONE]")
    writer.write(b"0\r\n\r\n")


def _render_head(content_type: str, length: str, status: int) -> bytes:
    return (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nServer: llama.cpp\r\n"
        f"Content-Type: {content_type}\r\n{length}\r\n\r\n"
    ).encode()


def _parse_header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()
