"""
Write one conversation: ask, check each turn as it comes, store it, finish.

Called by the worker with a task that it holds. A turn that a check refuses is never stored: it is
written anew, then the conversation starts over once with other people in it, then it is rejected.
"""

from __future__ import annotations

import logging
import random
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from fleet_orchestrator.errors import OrchestratorError
from fleet_orchestrator.generation.line_by_line import LineByLine
from fleet_orchestrator.generation.method import (
    BadAnswerError,
    Draft,
    Limits,
    Method,
    StartsOverError,
)
from fleet_orchestrator.generation.one_shot import OneShot
from fleet_orchestrator.generation.persona import make_persona
from fleet_orchestrator.generation.prompt import decide_turns, render_outline
from fleet_orchestrator.model_server.endpoint import Call, Endpoint, EndpointError
from fleet_orchestrator.quality.judge import gather
from fleet_orchestrator.quality.order import find_fault
from fleet_orchestrator.quality.verdict import decide_refusal
from fleet_orchestrator.store import LostTry

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Generator

    from fleet_orchestrator.generation.method import Reader
    from fleet_orchestrator.model_server.endpoint import Request
    from fleet_orchestrator.quality.call import Conversation, Finding
    from fleet_orchestrator.store import Store, Task

logger = logging.getLogger(__name__)
ONE_SHOT, LINE_BY_LINE = "one_shot", "line_by_line"


class StoppedError(OrchestratorError):
    """The worker was told to stop, or lost its lease, in the middle of a conversation."""


@dataclass
class Tries:
    """How often checks refused the next turn, and any turn of the task; how often it restarted."""

    of_turn: int = 0
    of_conversation: int = 0
    restarts: int = 0


@dataclass(frozen=True)
class Refusal:
    """A turn that is not stored: the conversation with it as its newest turn, and why."""

    conversation: Conversation
    finding: Finding


@dataclass
class Work:
    """A task on its way: the draft, how it is written, and what the checks know of it."""

    task: Task
    draft: Draft
    method: Method
    told: Conversation
    tries: Tries = field(default_factory=Tries)


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

        Turns that an earlier attempt stored are continued, not written again. A conversation that
        the checks refuse too often is stored as a rejected one, with the turns they let pass.
        Raises BadAnswerError, StoppedError, EndpointError, LostLeaseError, DatabaseAwayError.
        """
        work = self._start(task)
        while work.draft.missing:
            if not self.keep_going():
                raise StoppedError
            refusal = self._write_or_fall_back(work)
            if refusal is None:
                continue
            step = decide_step(work.tries, self.limits)
            if step == "reject":
                return self._reject(work, refusal)
            if step == "restart":
                self._restart(work)
        return self.store.insist(
            lambda: self.store.finish(task, self.endpoint.model), self.keep_going
        )

    def _start(self, task: Task) -> Work:
        """Mark the task as running; go on with prompt and persona as its first attempt fixed."""
        store, keep_going = self.store, self.keep_going
        can_continue = self.endpoint.known.continuation == "continues"
        wanted = decide_method(self.limits.generation_method, can_continue=can_continue)
        newest = store.insist(lambda: store.newest_prompt(wanted), keep_going)
        drawn = make_persona(task.definition, task.seed)
        start = store.insist(lambda: store.start(task, newest.prompt_id, drawn), keep_going)
        prompt = newest
        if start.prompt_id != newest.prompt_id:
            prompt = store.insist(lambda: store.prompt(start.prompt_id), keep_going)
        is_line_by_line = wanted == prompt.method == LINE_BY_LINE
        draft = make_draft(task, prompt.template, start.persona, task.turns)
        return Work(
            task=task,
            draft=draft,
            method=LineByLine() if is_line_by_line else OneShot(),
            told=gather(task.definition, start.persona["values"], draft.outline, prompt.template),
            tries=Tries(start.turn_tries, start.tries, start.restarts),
        )

    def _write_or_fall_back(self, work: Work) -> Refusal | None:
        """Make one call; where the server does not continue an answer, ask for whole ones."""
        try:
            return self._write_some(work)
        except StartsOverError as exc:
            reason = str(exc)
        except EndpointError as exc:
            if exc.kind != "refused_request" or isinstance(work.method, OneShot):
                raise
            reason = str(exc)
        logger.warning(
            "The rest is asked for at once.",
            extra={"task_id": work.task.task_id, "reason": reason},
        )
        work.method = OneShot()
        self.endpoint.known.continuation = None  # it is asked again before the next conversation
        return None

    def _write_some(self, work: Work) -> Refusal | None:
        """Make one call; store its turns as they are complete, and what it cost."""
        request = work.method.render_request(
            work.draft,
            self.limits,
            seed=decide_seed(work.task, len(work.draft.turns), work.tries),
            temperature=decide_temperature(work.tries, self.limits),
        )
        call, refusal = Call(self.endpoint.model), None
        paid_seconds, paid_tokens = 0.0, 0  # for the turns that are stored
        try:
            reader = work.method.make_reader(work.draft)
            with closing(self._read_turns(request, reader, call)) as texts:
                for text in texts:
                    refusal = self._take(work, " ".join(text.split()))  # a turn is one line
                    if refusal:
                        call.outcome = "ok"  # it did answer; nothing more of it is wanted
                        break
                    paid_seconds, paid_tokens = call.elapsed(), call.completion_tokens
        except (BadAnswerError, StartsOverError):
            call.outcome = "invalid"
            raise
        finally:
            self.store.insist(lambda: self.store.record(call, work.task), self.keep_going)
        if refusal:
            self._count(
                work,
                LostTry(
                    request_id=call.request_id,
                    position=len(work.draft.turns) + 1,
                    reason=refusal.finding.reason,
                    completion_tokens=call.completion_tokens - paid_tokens,
                    seconds=call.duration - paid_seconds,
                ),
            )
        elif call.outcome == "aborted":
            if self.keep_going():
                raise BadAnswerError(
                    f"no end after {request.seconds_max:g} s (setting request_seconds_max)"
                )
            raise StoppedError
        return refusal

    def _read_turns(
        self, request: Request, reader: Reader, call: Call
    ) -> Generator[str, None, None]:
        """Yield the words of each turn; hang up as soon as nothing more is wanted."""
        texts: list[str] = []
        with closing(self.endpoint.stream(request, call, self.keep_going)) as pieces:
            for piece in pieces:
                texts = reader.feed(piece)
                if reader.is_done:
                    call.outcome = "ok"
                    break
                yield from texts
            else:
                texts = reader.end() if call.outcome == "ok" else []
        yield from texts

    def _take(self, work: Work, text: str) -> Refusal | None:
        """Check a turn, and store it unless a check refuses it."""
        draft, position = work.draft, len(work.draft.turns) + 1
        turn = {"speaker": draft.missing[0].speaker, "text": text}
        conversation = replace(work.told, turns=[*draft.turns, turn])
        finding = find_fault(conversation) if self.limits.turn_tries_max else None
        if finding:
            return Refusal(conversation, finding)
        if not text:
            raise BadAnswerError(f"turn {position} of the answer has no words")
        self.store.insist(
            lambda: self.store.store_turn(work.task, position, turn["speaker"], text),
            self.keep_going,
        )
        draft.turns.append(turn)
        work.tries.of_turn = 0
        return None

    def _count(self, work: Work, lost: LostTry) -> None:
        self.store.insist(lambda: self.store.record_try(work.task, lost), self.keep_going)
        work.tries.of_turn += 1
        work.tries.of_conversation += 1

    def _restart(self, work: Work) -> None:
        """Drop the turns and begin again with other people and facts."""
        task, template = work.task, work.draft.template
        restarts = work.tries.restarts + 1
        persona = make_persona(task.definition, decide_persona_seed(task.seed, restarts))
        self.store.insist(lambda: self.store.restart(task, restarts, persona), self.keep_going)
        work.draft = make_draft(task, template, persona, [])
        work.told = gather(task.definition, persona["values"], work.draft.outline, template)
        work.tries.restarts, work.tries.of_turn = restarts, 0
        logger.info("Started a conversation over.", extra={"task_id": task.task_id})

    def _reject(self, work: Work, refusal: Refusal) -> uuid.UUID:
        """Store the turns so far as a rejected conversation."""
        verdict = decide_refusal(refusal.conversation, work.draft.persona)
        return self.store.insist(
            lambda: self.store.reject(work.task, self.endpoint.model, verdict), self.keep_going
        )


def make_draft(
    task: Task, template: str, persona: dict[str, dict[str, str]], turns: list[dict[str, str]]
) -> Draft:
    """Return the draft of a task with these people, and the turns that are written."""
    count = decide_turns(task.seed, task.min_turns, task.max_turns)
    outline = render_outline(task.definition, persona["values"], count)
    return Draft(task.definition, template, persona, outline, list(turns))


def decide_method(setting: str, *, can_continue: bool) -> str:
    """
    Return how a conversation is begun: as the setting says; auto is what the server can.

    A server that was to continue and does not is asked for whole answers from then on.
    """
    if setting != "auto":
        return setting
    return LINE_BY_LINE if can_continue else ONE_SHOT


def decide_step(tries: Tries, limits: Limits) -> Literal["anew", "restart", "reject"]:
    """Return what follows a refused turn, which is counted already."""
    if tries.of_conversation > limits.conversation_tries_max:
        return "reject"
    if tries.of_turn <= limits.turn_tries_max:
        return "anew"
    return "restart" if tries.restarts < limits.conversation_restarts_max else "reject"


def decide_seed(task: Task, written: int, tries: Tries) -> int:
    """Return a seed for the next call: repeatable, another one for each attempt and try."""
    key = (task.seed, task.attempt, tries.restarts, written, tries.of_turn)
    return random.Random(repr(key)).getrandbits(31)  # noqa: S311 - repeatable, not secret


def decide_persona_seed(seed: int, restarts: int) -> int:
    """Return another seed for each restart; neighbouring tasks have neighbouring seeds."""
    return random.Random(repr((seed, restarts))).getrandbits(48)  # noqa: S311 - as above


def decide_temperature(tries: Tries, limits: Limits) -> float:
    """Return the temperature of the next call: the last try of a turn is a little warmer."""
    is_last = 0 < limits.turn_tries_max == tries.of_turn
    return limits.temperature + (limits.last_try_temperature_rise if is_last else 0.0)
