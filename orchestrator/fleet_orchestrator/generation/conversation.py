"""
Write one conversation: start, stream, store each turn, finish.

Called by the worker with a task that it holds.
"""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_orchestrator.errors import OrchestratorError
from fleet_orchestrator.generation.endpoint import Call, Endpoint, Request
from fleet_orchestrator.generation.persona import make_persona
from fleet_orchestrator.generation.prompt import (
    Line,
    decide_turns,
    render_messages,
    render_outline,
    render_schema,
)
from fleet_orchestrator.generation.stream import TurnStream

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

    from fleet_orchestrator.store import Store, Task

METHOD = "one_shot"


class BadAnswerError(OrchestratorError):
    """The model's answer was not the conversation that was asked for."""


class StoppedError(OrchestratorError):
    """The worker was told to stop, or lost its lease, in the middle of a conversation."""


@dataclass(frozen=True)
class Limits:
    """How a conversation is generated: the settings in force; times in seconds."""

    temperature: float
    turn_characters_max: int
    request_seconds_max: float
    lease_seconds: float


@dataclass(frozen=True)
class Writer:
    """Writes conversations as long as keep_going() is true."""

    store: Store
    endpoint: Endpoint
    limits: Limits
    keep_going: Callable[[], bool]

    def write(self, task: Task) -> uuid.UUID:
        """
        Write what is missing of a task's conversation and store it; return the conversation's id.

        Turns that an earlier attempt stored are continued, not written again.
        Raises BadAnswerError, StoppedError, EndpointError, LostLeaseError, DatabaseAwayError.
        """
        template, persona = self._start(task)
        turns = decide_turns(task.seed, task.min_turns, task.max_turns)
        outline = render_outline(task.definition, persona["values"], turns)
        missing = outline[len(task.turns) :]
        if missing:
            request = Request(
                messages=render_messages(template, task.definition, persona, outline, task.turns),
                schema=render_schema(missing, self.limits.turn_characters_max),
                # A second attempt with the same seed would fail in the same way.
                seed=random.Random(task.seed + task.attempt).getrandbits(31),  # noqa: S311
                temperature=self.limits.temperature,
                seconds_max=self.limits.request_seconds_max,
            )
            self._write_turns(task, request, missing)
        return self.store.insist(
            lambda: self.store.finish(task, self.endpoint.model), self.keep_going
        )

    def _start(self, task: Task) -> tuple[str, dict[str, dict[str, str]]]:
        """Mark the task as running; return template and persona as its first attempt fixed them."""
        store, keep_going = self.store, self.keep_going
        newest, template = store.insist(lambda: store.newest_prompt(METHOD), keep_going)
        drawn = make_persona(task.definition, task.seed)
        prompt_id, persona = store.insist(lambda: store.start(task, newest, drawn), keep_going)
        if prompt_id != newest:
            template = store.insist(lambda: store.prompt(prompt_id), keep_going)
        return template, persona

    def _write_turns(self, task: Task, request: Request, missing: list[Line]) -> None:
        """Make one call; store each of its turns as soon as it is complete, and what it cost."""
        call, stream, done = Call(self.endpoint.model), TurnStream(), 0
        try:
            with closing(self.endpoint.stream(request, call, self.keep_going)) as pieces:
                for turn in (turn for piece in pieces for turn in stream.feed(piece)):
                    if done == len(missing) or not _is_turn_of(turn, missing[done]):
                        call.outcome = "invalid"
                        # Without its words: the message is shown to readers of analytics.
                        raise BadAnswerError(f"turn {done + 1} of the answer is no turn asked for")
                    done += 1
                    self._store_turn(task, len(task.turns) + done, turn)
            if call.outcome == "ok" and done < len(missing):
                call.outcome = "invalid"
                raise BadAnswerError(f"the answer ended after {done} of {len(missing)} turns")
        finally:
            self.store.insist(lambda: self.store.record(call, task), self.keep_going)
        if call.outcome == "aborted":
            if self.keep_going():
                raise BadAnswerError(
                    f"no end after {request.seconds_max:g} s (setting request_seconds_max)"
                )
            raise StoppedError

    def _store_turn(self, task: Task, position: int, turn: dict[str, str]) -> None:
        speaker, text = turn["speaker"], turn["text"].strip()
        self.store.insist(
            lambda: self.store.store_turn(task, position, speaker, text), self.keep_going
        )


def _is_turn_of(turn: dict[str, str], line: Line) -> bool:
    text = turn.get("text")
    return turn.get("speaker") == line.speaker and isinstance(text, str) and bool(text.strip())
