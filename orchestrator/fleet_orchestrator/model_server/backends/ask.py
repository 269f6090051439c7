"""
Short questions to a model server beside its calls, by routes that need not be OpenAI's.

By hand: `curl http://HOST:PORT/PATH`. An answer has a limit of time and one of size, whatever the
server sends.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx2

from fleet_orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from collections.abc import Iterable

SECONDS_MAX = 4.0
CONNECT_SECONDS = 2.0
BYTES_MAX = 1_000_000  # a list of models has some thousands

#: Called with method, path from the server's root, and the body, None for none.
Ask = Callable[[str, str, dict[str, Any] | None], Any]


class AskError(OrchestratorError):
    """The server did not answer, or answered with a status that is no success (`status`)."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_missing_route(self) -> bool:
        """True where the server lives and does not know the question."""
        return self.status in {400, 404, 405, 501}


def make_ask(url: str, transport: httpx2.BaseTransport | None = None) -> Ask:
    """Return what asks the server whose OpenAI routes begin at `url`, which ends in /v1."""
    root = url.rstrip("/").removesuffix("/v1")
    timeout = httpx2.Timeout(SECONDS_MAX, connect=CONNECT_SECONDS)
    client = httpx2.Client(
        timeout=timeout,
        transport=transport,
        verify=root.startswith("https:"),  # to prepare for TLS takes memory and time
        limits=httpx2.Limits(max_keepalive_connections=0),  # one question each few seconds
    )

    def ask(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            with client.stream(method, f"{root}{path}", json=body) as response:
                content = read_bounded(response.iter_bytes(), time.monotonic)
                status = response.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            raise AskError(f"{path} does not answer ({type(exc).__name__})") from exc
        if not 200 <= status < 300:
            raise AskError(f"{path} answered {status}", status)
        return parse(content)

    return ask


def read_bounded(
    pieces: Iterable[bytes], clock: Callable[[], float], bytes_max: int = BYTES_MAX
) -> bytes:
    """Return the pieces together. Raises AskError when they are too many or come too slowly."""
    ends, content = clock() + SECONDS_MAX, b""
    for piece in pieces:
        content += piece
        if len(content) > bytes_max or clock() > ends:
            raise AskError(f"the answer has no end within {bytes_max} bytes and {SECONDS_MAX:g} s")
    return content


def parse(content: bytes) -> Any:
    """Return the JSON of an answer; None where it is none: some answer with a word, or nothing."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def field(answer: Any, *names: str | int) -> Any:
    """Return what stands at the end of a path through an answer; None where it breaks off."""
    for name in names:
        try:
            answer = answer[name]
        except (KeyError, IndexError, TypeError):
            return None
    return answer


def entries(answer: Any, name: str) -> list[dict[str, Any]]:
    """Return the objects in a list of an answer."""
    listed = field(answer, name)
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def count(value: Any) -> int | None:
    """Return a whole number above nothing; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
