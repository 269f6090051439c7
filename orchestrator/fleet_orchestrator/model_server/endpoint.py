"""
One streamed call to an OpenAI-compatible server, measured here.

Servers misreport, and a cut call reports nothing.

Called by the worker; between calls it keeps only what is `Known` of the server.
"""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

import httpx2
import openai

from fleet_orchestrator.model_server.answer import Answer, Event, Model, Piece, Usage, render_said
from fleet_orchestrator.model_server.background_reader import read_in_background
from fleet_orchestrator.model_server.endpoint_error import EndpointError, Kind
from fleet_orchestrator.model_server.hang_up import HangUp
from fleet_orchestrator.model_server.quoting import hide_prompt
from fleet_orchestrator.model_server.slots import decide_slot

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = [
    "Call",
    "Continuation",
    "Endpoint",
    "EndpointError",
    "Kind",
    "Outcome",
    "Request",
    "connect",
]

logger = logging.getLogger(__name__)
Outcome = Literal["ok", "invalid", "aborted", "error"]
Continuation = Literal["continues", "starts_over", "refuses"]
CONNECT_SECONDS = 3.0
LOOK_SECONDS = 0.5  # how often we ask whether to go on while the server says nothing
SLOTS_SECONDS = 2.0  # a server that reads a long prompt answers late; then it may choose itself
FIRST_TOKEN_SECONDS = 120.0  # a cold server loads its model first
STALL_SECONDS = 30.0  # between two pieces of an answer: the slowest machine writes one a second
# vLLM wants to be told; llama.cpp continues a last assistant message anyway. Hosted services refuse
# what they do not know, and continue nothing.
CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}
# Such a call is left in its middle, so tokens must be told with each piece: by llama.cpp, by vLLM.
COUNT_EACH_PIECE = {"timings_per_token": True}
USAGE_AT_THE_END = {"include_usage": True}
USAGE_WITH_EACH_PIECE = {"include_usage": True, "continuous_usage_stats": True}
REFUSED_REQUEST = frozenset({400, 413, 422})  # the server lives; it will not have this request


@dataclass
class Call:
    """
    What one call cost; filled in while the answer comes. Times in seconds.

    Tokens of the prompt are None until the server tells them.
    """

    model: str
    request_id: uuid.UUID = field(default_factory=uuid.uuid4)
    started: float = field(default_factory=time.monotonic)
    duration: float = 0.0
    time_to_first_token: float | None = None
    prompt_tokens: int | None = None
    cached_prompt_tokens: int | None = None
    completion_tokens: int = 0
    outcome: Outcome = "error"

    def elapsed(self) -> float:
        """Return the seconds since the call began."""
        return time.monotonic() - self.started


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


@dataclass
class Known:
    """
    What calls have shown of a server: its model's own name, and what it does with a begun answer.

    None is not known, or not any more: another model may come with another chat template.
    """

    model: str | None = None
    continuation: Continuation | None = None
    may_have_slots: bool = True

    def see_model(self, name: str) -> None:
        """Take in the name that an answer has."""
        if self.model not in {None, name}:
            self.forget()
        self.model = name

    def forget(self) -> None:
        """Have everything found out again: the server may be another one now."""
        self.continuation, self.may_have_slots = None, True


@dataclass(frozen=True)
class Endpoint:
    """
    A server, the model to ask it for, and what is known of both.

    `slot` is that of a conversation, where the server has several.
    """

    client: openai.OpenAI
    model: str
    known: Known = field(default_factory=Known)
    slot: int | None = None
    stall_seconds: float = STALL_SECONDS

    def for_conversation(self) -> Endpoint:
        """Return the endpoint with a slot for the calls of one conversation, if it needs one."""
        if self.known.continuation != "continues" or not self.known.may_have_slots:
            return self
        address = str(self.client.base_url.join("../slots"))
        try:
            slots = self.client.with_options(timeout=SLOTS_SECONDS).get(address, cast_to=object)
        except openai.APITimeoutError:
            return self  # it reads a long prompt; the next conversation asks again
        except (openai.OpenAIError, ValueError):
            slots = None
        self.known.may_have_slots = isinstance(slots, list) and len(slots) > 1
        return replace(self, slot=decide_slot(slots))

    def stream(
        self, request: Request, call: Call, keep_going: Callable[[], bool]
    ) -> Generator[str, None, None]:
        """
        Yield pieces of the answer; stop early when keep_going() turns false or the deadline passes.

        Close it when you want no more: `call` is complete when it has ended, however it ended.
        Raises EndpointError.
        """
        try:
            with closing(self._read(request)) as events:
                for event in events:
                    if isinstance(event, Model):
                        self.known.see_model(event.name)
                    if text := _count(event, call):
                        yield text
                    if not keep_going() or call.elapsed() > request.seconds_max:
                        call.outcome = "aborted"
                        return
            call.outcome = "ok"
        except GeneratorExit:
            if call.outcome == "error":
                call.outcome = "aborted"
            raise
        except (openai.OpenAIError, httpx2.HTTPError, EndpointError) as exc:
            logger.warning("The model server failed.", extra={"error": str(exc)})
            raise parse_failure(exc, request.messages) from exc
        finally:
            call.duration = call.elapsed()

    def ask(self, request: Request, call: Call, keep_going: Callable[[], bool]) -> str:
        """Return a whole answer; as much of it as came where `call` was aborted, else as above."""
        with closing(self.stream(request, call, keep_going)) as pieces:
            return "".join(pieces)

    def _read(self, request: Request) -> Generator[Event | None, None, None]:
        """Yield what the server says and costs, and None whenever it is time to look up."""
        answer, hang_up = Answer(), HangUp()
        reader = read_in_background(lambda: self._open(request, hang_up), LOOK_SECONDS, hang_up.now)
        with closing(reader) as chunks:
            spoke_at = None
            for data in chunks:
                for event in answer.feed(data or b""):
                    spoke_at = time.monotonic()
                    yield event
                yield None  # also while nothing but comments come
                if spoke_at is not None and time.monotonic() - spoke_at > self.stall_seconds:
                    raise EndpointError("timeout")
                if answer.is_done:
                    hang_up.release()
                    break
        yield from answer.close(may_be_empty=request.continues)

    def _open(self, request: Request, hang_up: HangUp) -> Generator[bytes, None, None]:
        create = self.client.chat.completions.with_streaming_response.create
        # The bytes as they come: the client's own way to read them ends at the first odd chunk.
        with create(**self._render(request)) as response:
            hang_up.hold(response.http_response.extensions)
            yield from response.iter_bytes()
            hang_up.release()

    def _render(self, request: Request) -> dict[str, Any]:
        return {
            "model": self.model,
            "messages": request.messages,
            "stream": True,
            "stream_options": USAGE_WITH_EACH_PIECE if request.continues else USAGE_AT_THE_END,
            "temperature": request.temperature,
            "seed": request.seed % 2**31,
            "max_tokens": request.tokens_max or openai.omit,
            "response_format": _render_format(request.schema) if request.schema else openai.omit,
            "extra_body": self._render_continuation() if request.continues else None,
        }

    def _render_continuation(self) -> dict[str, Any]:
        slot = {} if self.slot is None else {"id_slot": self.slot}
        return CONTINUE | COUNT_EACH_PIECE | slot


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


def _count(event: Event | None, call: Call) -> str:
    """Write down what an event costs; return what it says."""
    if isinstance(event, Piece):
        if call.time_to_first_token is None:
            call.time_to_first_token = call.elapsed()
        call.completion_tokens += event.tokens
        return event.text
    if isinstance(event, Usage):
        call.prompt_tokens = event.prompt_tokens or call.prompt_tokens
        if event.cached_prompt_tokens is not None:
            call.cached_prompt_tokens = event.cached_prompt_tokens
        call.completion_tokens = event.completion_tokens or call.completion_tokens
    return ""


def parse_failure(exc: Exception, messages: list[dict[str, str]]) -> EndpointError:
    """Return what failed, in our words; what the server said comes without words of the prompt."""
    if isinstance(exc, EndpointError):
        return EndpointError(exc.kind, hide_prompt(exc.said, messages))
    if isinstance(exc, openai.APIStatusError):
        kind: Kind = "refused_request" if exc.status_code in REFUSED_REQUEST else "http_error"
        said = render_said(exc.body) if exc.body else ""
        again = parse_retry_after(exc.response.headers.get("retry-after", ""), time.time())
        return EndpointError(kind, hide_prompt(said, messages), exc.status_code, again)
    # The client wraps what happens before the server's first byte, and passes on what comes later.
    cause = exc.__cause__ if isinstance(exc, openai.APIConnectionError) else exc
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
        return EndpointError("unreachable")
    if isinstance(cause, httpx2.TimeoutException):
        return EndpointError("timeout")
    return EndpointError("broken_stream" if isinstance(cause, httpx2.HTTPError) else "unreachable")


def parse_retry_after(text: str, now: float) -> float | None:
    """Return the seconds of a Retry-After, which is a number or a date; None without one."""
    try:
        seconds = float(text) if text.strip().isdecimal() else _until(text, now)
    except (ValueError, TypeError, IndexError):
        return None
    return max(0.0, seconds)


def _until(text: str, now: float) -> float:
    return parsedate_to_datetime(text).timestamp() - now
