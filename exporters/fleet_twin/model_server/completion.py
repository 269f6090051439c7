"""One chat completion: from the body of a request to the last byte of its answer."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fleet_twin.model_server import shapes, wire
from fleet_twin.model_server.behaviour import Load
from fleet_twin.model_server.chat import BadRequestError, Chat, parse_chat
from fleet_twin.model_server.generation import Clock, Piece, Plan, generate, plan_answer
from fleet_twin.model_server.slots import Slots
from fleet_twin.model_server.tokens import count_tokens
from fleet_twin.model_server.writer import write_answer

if TYPE_CHECKING:
    from asyncio import StreamWriter
    from collections.abc import AsyncIterator, Callable

    from fleet_twin.model_server.behaviour import Behaviour


@dataclass
class VirtualServer:
    """The model server of one machine; the tokens have been read and written since its start."""

    read_behaviour: Callable[[], Behaviour]
    clock: Clock
    slots: Slots = field(default_factory=Slots)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0
    has_model: bool = True

    @property
    def load(self) -> Load:
        """What it asks of its machine now."""
        return Load(self.slots.busy, self.has_model, self.prompt_tokens, self.completion_tokens)

    async def complete(self, body: bytes, writer: StreamWriter) -> None:
        """Answer a call, once a slot is free."""
        behaviour = self.read_behaviour()
        try:
            chat = parse_chat(body)
            check_length(chat, behaviour)
        except BadRequestError as exc:
            error = shapes.render_error(str(exc), "invalid_request_error", 400)
            wire.send_json(writer, error, 400)
            return
        self.calls, self.has_model = self.calls + 1, True
        name = f"chatcmpl-{self.calls}"
        seed = random.getrandbits(31) if chat.seed is None else chat.seed
        async with self.slots.take(chat.prompt, chat.slot) as slot:
            text = write_answer(chat, seed, self.read_behaviour().faults)
            plan = plan_answer(chat.prompt, text, chat.tokens_max, chat.stop)
            pieces = self._count(generate(plan, slot, self.read_behaviour, self.clock))
            answer = _Answer(name, behaviour.model, chat, plan)
            await (answer.stream if chat.is_stream else answer.send)(pieces, writer)

    async def _count(self, pieces: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
        written = 0
        async for piece in pieces:
            self.prompt_tokens += 0 if written else piece.read_tokens
            self.completion_tokens += piece.written_tokens - written
            written = piece.written_tokens
            yield piece


def check_length(chat: Chat, behaviour: Behaviour) -> None:
    """Raise BadRequestError for a prompt that no slot has room for."""
    tokens = count_tokens(chat.prompt)
    if tokens >= behaviour.context_tokens:
        raise BadRequestError(
            f"the request exceeds the available context size ({tokens} tokens, "
            f"{behaviour.context_tokens} are there), try increasing it"
        )


@dataclass(frozen=True)
class _Answer:
    """One answer on its way to the client."""

    name: str
    model: str
    chat: Chat
    plan: Plan

    async def stream(self, pieces: AsyncIterator[Piece], writer: StreamWriter) -> None:
        """Send each piece as it comes."""
        wire.begin_events(writer)
        self._send(writer, choices=shapes.render_choice({"role": "assistant", "content": None}))
        last = None
        async for piece in pieces:
            last = piece
            timings = (
                {"timings": shapes.render_timings(piece)} if self.chat.counts_each_piece else {}
            )
            choices = shapes.render_choice({"content": piece.text})
            self._send(writer, choices=choices, **timings)
            await writer.drain()
        told = {"timings": shapes.render_timings(last)} if last else {}
        self._send(writer, choices=shapes.render_choice({}, self.plan.ends_by), **told)
        if self.chat.tells_usage and last:
            self._send(writer, usage=shapes.render_usage(last), **told)
        wire.end_events(writer)

    async def send(self, pieces: AsyncIterator[Piece], writer: StreamWriter) -> None:
        """Send all at once; llama.cpp repeats the beginning that it was given."""
        last = Piece("", 0, 0, 0.0, 0, 0.0)
        text = self.chat.beginning
        async for piece in pieces:
            last, text = piece, text + piece.text
        whole = shapes.render_whole(self.name, self.model, text, self.plan.ends_by, last)
        wire.send_json(writer, whole)

    def _send(self, writer: StreamWriter, **rest: Any) -> None:
        chunk = shapes.render_chunk(self.name, self.model, **rest)
        wire.send_event(writer, json.dumps(chunk, ensure_ascii=False))
