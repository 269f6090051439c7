"""
Read a scraper's request and write the answer. Pure: bytes in, bytes out.

The standard library's server takes three times as long for one that asks for ready bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from fleet_exporters.sinks.page.text_format import CONTENT_TYPE

HEAD_END = b"\r\n\r\n"
HEAD_MAX = 16384  # bytes; Prometheus sends about 300
VERSIONS = (b"HTTP/1.0", b"HTTP/1.1")


@dataclass(frozen=True, slots=True)
class Request:
    """What we answer to; the rest of a request means nothing to us."""

    method: bytes
    path: bytes
    takes_gzip: bool
    #: the client wants to ask again on this connection, and nothing follows the head
    keeps_open: bool
    authorization: bytes = b""


@lru_cache(maxsize=16)  # a scraper asks the same for ever
def parse(head: bytes) -> Request | None:
    """Return the request that a head is, without its empty line; None when it is none."""
    first, *lines = head.splitlines()
    words = first.split()
    if len(words) != 3 or words[2] not in VERSIONS:
        return None
    method, target, version = words
    fields = {}
    for line in lines:
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip()
    connection = fields.get(b"connection", b"").lower()
    has_body = fields.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in fields
    return Request(
        method=method,
        path=target.partition(b"?")[0],
        takes_gzip=b"gzip" in fields.get(b"accept-encoding", b"").lower(),
        keeps_open=version == b"HTTP/1.1" and connection != b"close" and not has_body,
        authorization=fields.get(b"authorization", b""),
    )


@lru_cache(maxsize=4)  # the same for a second, however many ask
def render_answer(
    status: HTTPStatus, body: bytes, now: int, *, is_gzip: bool, keeps_open: bool
) -> bytes:
    """
    Return a whole answer at `now`, Unix time.

    It is to be sent in one piece: two would wait for each other (Nagle).
    """
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Server: fleet-exporter",
        f"Date: {formatdate(now, usegmt=True)}",
        f"Content-Type: {CONTENT_TYPE}",
        f"Content-Length: {len(body)}",
    ]
    if status == HTTPStatus.UNAUTHORIZED:
        lines.append('WWW-Authenticate: Bearer realm="fleet"')
    if is_gzip:
        lines.append("Content-Encoding: gzip")
    if not keeps_open:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body
