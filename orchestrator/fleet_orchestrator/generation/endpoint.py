"""
One streamed call to an OpenAI-compatible server, measured here.

Servers misreport, and a cut call reports nothing.

Called by the worker; keeps nothing between calls.
"""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import openai

from fleet_orchestrator.errors import OrchestratorError
from fleet_orchestrator.generation.pump import pump
from fleet_orchestrator.generation.quoting import hide_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

logger = logging.getLogger(__name__)
Outcome = Literal["ok", "invalid", "aborted", "error"]
Kind = Literal["unreachable", "timeout", "refused_request", "http_error", "not_a_stream"]
CONNECT_SECONDS = 3.0
SAID_CHARACTERS_MAX = 500  # a server may answer with a page
LOOK_SECONDS = 0.5  # how often we ask whether to go on while the server says nothing
FIRST_TOKEN_SECONDS = 120.0  # a cold server loads its model first
# vLLM wants to be told; llama.cpp continues a last assistant message anyway.
CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}

REFUSED_REQUEST = frozenset({400, 413, 422})  # the server lives; it will not have this request


class EndpointError(OrchestratorError):
    """
    The model server did not answer, or answered with an error.

    `kind` is one lower-case word; `said` is what the server said, without words of the prompt. The
    message says no more than the kind of error: addresses may hold logins. The whole stands in the
    log.
    """

    def __init__(self, exc: Exception, messages: list[dict[str, str]]) -> None:
        status: int | None = getattr(exc, "status_code", None)
        self.kind: Kind = decide_kind(exc, status)
        body = getattr(exc, "body", None)
        said = str(body) if body else ""
        self.said = hide_prompt(said[:SAID_CHARACTERS_MAX], messages)
        answer = f"answered {status}" if status else f"failed ({type(exc).__name__})"
        super().__init__(f"the model server {answer}")


def decide_kind(exc: Exception, status: int | None) -> Kind:
    """Return the word for what a server or the way to it did wrong."""
    if status is not None:
        return "refused_request" if status in REFUSED_REQUEST else "http_error"
    if isinstance(exc, openai.APITimeoutError):
        return "timeout"
    return "unreachable" if isinstance(exc, openai.APIConnectionError) else "not_a_stream"


@dataclass
class Call:
    """What one call cost; filled in while the answer comes. Times in seconds."""

    model: str
    request_id: uuid.UUID = field(default_factory=uuid.uuid4)
    started: float = field(default_factory=time.monotonic)
    duration: float = 0.0
    time_to_first_token: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    outcome: Outcome = "error"


@dataclass(frozen=True)
class Request:
    """
    A chat, the schema of its answer if it has one, and the limits of the call.

    `continues` says that the last message is the beginning of the answer: the model goes on behind
    its last character.
    """

    messages: list[dict[str, str]]
    schema: dict[str, Any] | None
    seed: int
    temperature: float
    seconds_max: float
    tokens_max: int | None = None
    continues: bool = False


@dataclass(frozen=True)
class Endpoint:
    """A server and the model to ask it for."""

    client: openai.OpenAI
    model: str

    def stream(
        self, request: Request, call: Call, keep_going: Callable[[], bool]
    ) -> Generator[str, None, None]:
        """
        Yield pieces of the answer; stop early when keep_going() turns false or the deadline passes.

        Close it when you want no more: `call` is complete when it has ended, however it ended.
        Raises EndpointError.
        """
        try:
            with closing(pump(lambda: self._read(request), LOOK_SECONDS)) as chunks:
                for chunk in chunks:
                    yield from _read_chunk(chunk, call)
                    if not keep_going() or time.monotonic() - call.started > request.seconds_max:
                        call.outcome = "aborted"
                        return
            call.outcome = "ok"
        except GeneratorExit:
            if call.outcome == "error":
                call.outcome = "aborted"
            raise
        except (openai.OpenAIError, ValueError) as exc:  # ValueError: a chunk that is no JSON
            logger.warning("The model server failed.", extra={"error": str(exc)})
            raise EndpointError(exc, request.messages) from exc
        finally:
            call.duration = time.monotonic() - call.started

    def _read(self, request: Request) -> Generator[Any, None, None]:
        with self._open(request) as chunks:
            yield from chunks

    def _open(self, request: Request) -> openai.Stream[Any]:
        # Plain dicts are what goes over the wire; the client's types want classes of its own.
        create: Any = self.client.chat.completions.create
        stream: openai.Stream[Any] = create(
            model=self.model,
            messages=request.messages,
            stream=True,
            stream_options={"include_usage": True},
            temperature=request.temperature,
            seed=request.seed % 2**31,
            max_tokens=request.tokens_max or openai.omit,
            response_format=_render_format(request.schema) if request.schema else openai.omit,
            extra_body=CONTINUE if request.continues else None,
        )
        return stream


def _render_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "conversation", "strict": True, "schema": schema},
    }


def connect(url: str, model: str) -> Endpoint:
    """Return the endpoint at an URL that ends in /v1; no call is made yet."""
    timeout = openai.Timeout(FIRST_TOKEN_SECONDS, connect=CONNECT_SECONDS)
    # No retries inside: each call is one row of telemetry.llm_requests, and the worker backs off
    # itself.
    client = openai.OpenAI(base_url=url, api_key="local", max_retries=0, timeout=timeout)
    return Endpoint(client, model)


def _read_chunk(chunk: Any, call: Call) -> Iterator[str]:
    if chunk is None:
        return
    for choice in chunk.choices or ():
        if piece := choice.delta.content:
            if call.time_to_first_token is None:
                call.time_to_first_token = time.monotonic() - call.started
            call.completion_tokens += 1  # one chunk a token, until the server says better
            yield piece
    if chunk.usage is not None:
        call.prompt_tokens = chunk.usage.prompt_tokens
        call.completion_tokens = chunk.usage.completion_tokens
