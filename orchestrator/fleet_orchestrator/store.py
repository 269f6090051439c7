"""
The worker's way to the database.

One method a SQL function, reconnecting when the server was away.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from fleet_timescale.events import Outage
from psycopg.types.json import Jsonb

from fleet_orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable
    from datetime import datetime

    from fleet_timescale.connection import Connect, Connection

    from fleet_orchestrator.model_server.endpoint import Call, Continuation
    from fleet_orchestrator.model_server.watch import Report
    from fleet_orchestrator.quality.sketch import Sketch
    from fleet_orchestrator.quality.verdict import Verdict

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
LOST_LEASE = "FL001"  # the SQLSTATE of fleet.hold_task
RETRY_SECONDS = 0.5  # between attempts while the database is away
AFTER_OUTAGE = "what it had in hand was stored afterwards, or is written anew"


class LostLeaseError(OrchestratorError):
    """The task belongs to somebody else now; the work is dropped."""


class DatabaseAwayError(OrchestratorError):
    """The database did not come back while the work was still wanted."""


@dataclass(frozen=True)
class Task:
    """A claimed task with all that writing it needs; `turns` are those of earlier attempts."""

    task_id: uuid.UUID
    attempt: int
    scenario: str
    definition: dict[str, Any]
    seed: int
    min_turns: int
    max_turns: int
    persona: dict[str, Any] | None
    turns: list[dict[str, str]]


@dataclass(frozen=True)
class Prompt:
    """A version of a prompt template, and the method that it is made for."""

    prompt_id: int
    method: str
    template: str


@dataclass(frozen=True)
class Start:
    """
    What the first attempt at a task fixed, and what checks have refused so far.

    `turn_tries` counts the next turn alone, `tries` all turns, those before a restart too.
    """

    prompt_id: int
    persona: dict[str, Any]
    restarts: int
    tries: int
    turn_tries: int


@dataclass(frozen=True)
class LostTry:
    """A turn that a check refused: why, and its share of the call that wrote it."""

    request_id: uuid.UUID
    position: int
    reason: str
    completion_tokens: int
    seconds: float


@dataclass(frozen=True)
class Unjudged:
    """A conversation that waits for its verdict."""

    conversation_id: uuid.UUID
    scenario: str
    definition: dict[str, Any]
    persona: dict[str, Any]
    min_turns: int
    max_turns: int
    template: str
    turns: list[dict[str, str]]


@dataclass(frozen=True)
class Unsketched:
    """An accepted conversation without bands of the method in force; `scrubbed` are its texts."""

    conversation_id: uuid.UUID
    definition: dict[str, Any]
    persona: dict[str, Any]
    turns: list[dict[str, str]]

    @property
    def scrubbed(self) -> list[str]:
        """The texts, which are masked in the database."""
        return [turn["text"] for turn in self.turns]


class Store:
    """
    One connection, made when it is needed and again after it broke.

    Not to be shared between threads.
    """

    def __init__(
        self, connect: Connect, worker_id: uuid.UUID, outage: Outage | None = None
    ) -> None:
        """Take the outage that all stores of a worker share."""
        self._connect = connect
        self._outage = outage or Outage("A worker", AFTER_OUTAGE)
        self._connection: Connection | None = None
        self.worker_id = worker_id

    def rows(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """
        Run one statement.

        Return its rows. Raises LostLeaseError, psycopg.OperationalError (reconnects next time).
        """
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._connect()
            rows = self._connection.execute(sql, params).fetchall()
        except psycopg.Error as exc:
            # Looked at first: psycopg takes every state of class F for an operational error.
            if exc.sqlstate == LOST_LEASE:
                raise LostLeaseError(exc.diag.message_primary) from exc
            if isinstance(exc, psycopg.OperationalError):
                self._outage.begin(exc)
                self.close()
            raise
        self._outage.end(self._connection)
        return rows

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()

    def insist(self, action: Callable[[], Result], is_wanted: Callable[[], bool]) -> Result:
        """
        Repeat an action (all of ours may be repeated) until the database answers.

        Raises DatabaseAwayError once the result is no longer wanted.
        """
        while True:
            try:
                return action()
            except psycopg.OperationalError as exc:
                if not is_wanted():
                    raise DatabaseAwayError from exc
                logger.warning("The database is away; trying again.")
                time.sleep(RETRY_SECONDS)

    def claim(self, model: str | None = None) -> Task | None:
        """Lease the next task of the queue that this node, with this model, is for."""
        rows = self.rows("SELECT * FROM fleet.claim_tasks(%s, 1, %s)", self.worker_id, model)
        return Task(**rows[0]) if rows else None

    def start(self, task: Task, prompt_id: int, persona: dict[str, Any]) -> Start:
        """Mark a task as running; return how it stands."""
        row = self.rows(
            "SELECT * FROM fleet.start_task(%s, %s, %s, %s, %s)",
            task.task_id, self.worker_id, task.attempt, prompt_id, Jsonb(persona),
        )[0]  # fmt: skip
        return Start(**row)

    def newest_prompt(self, method: str) -> Prompt:
        """Return the prompt in use for a method."""
        rows = self.rows(
            "SELECT prompt_id, method, template FROM fleet.prompts WHERE method = %s "
            "ORDER BY version DESC LIMIT 1",
            method,
        )
        return Prompt(**rows[0])

    def prompt(self, prompt_id: int) -> Prompt:
        """Return a prompt."""
        rows = self.rows(
            "SELECT prompt_id, method, template FROM fleet.prompts WHERE prompt_id = %s", prompt_id
        )
        return Prompt(**rows[0])

    def store_turn(self, task: Task, position: int, speaker: str, text: str) -> None:
        """Keep one turn as a checkpoint."""
        self.rows(
            "SELECT fleet.store_turn(%s, %s, %s, %s, %s, %s)",
            task.task_id, self.worker_id, task.attempt, position, speaker, text,
        )  # fmt: skip

    def record_try(self, task: Task, lost: LostTry) -> None:
        """Store that a check refused a turn, and what the turn had cost."""
        self.rows(
            "SELECT fleet.record_try(%s, %s, %s, %s, %s, %s, %s, %s)",
            task.task_id, self.worker_id, task.attempt, lost.request_id, lost.position,
            lost.reason, lost.completion_tokens, lost.seconds,
        )  # fmt: skip

    def restart(self, task: Task, restarts: int, persona: dict[str, Any]) -> None:
        """Drop a task's turns, so that it is written anew with another persona."""
        self.rows(
            "SELECT fleet.restart_task(%s, %s, %s, %s, %s)",
            task.task_id, self.worker_id, task.attempt, restarts, Jsonb(persona),
        )  # fmt: skip

    def reject(self, task: Task, model: str, verdict: Verdict) -> uuid.UUID:
        """Store the turns so far as a rejected conversation; return its id."""
        rows = self.rows(
            "SELECT fleet.reject_task(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS id",
            task.task_id, self.worker_id, task.attempt, model, *_verdict_arguments(verdict),
        )  # fmt: skip
        conversation_id: uuid.UUID = rows[0]["id"]
        return conversation_id

    def finish(self, task: Task, model: str) -> uuid.UUID:
        """Store the conversation; return its id."""
        rows = self.rows(
            "SELECT fleet.finish_task(%s, %s, %s, %s) AS id",
            task.task_id,
            self.worker_id,
            task.attempt,
            model,
        )
        conversation_id: uuid.UUID = rows[0]["id"]
        return conversation_id

    def release(self, task: Task, kind: str | None, error: str) -> None:
        """Give a task back; `kind` says what failed, None that nothing did."""
        self.rows(
            "SELECT fleet.release_task(%s, %s, %s, %s, %s)",
            task.task_id, self.worker_id, task.attempt, kind, error,
        )  # fmt: skip

    def decide_failures(self, *, can_write: bool) -> None:
        """Say whether this node can write: its failures count against their tasks, or are its."""
        self.rows("SELECT fleet.decide_failures(%s)", can_write)

    def has_open_failures(self) -> bool:
        """Return whether tasks wait until this node has shown whether it can write."""
        is_waiting: bool = self.rows("SELECT fleet.has_open_failures() AS it")[0]["it"]
        return is_waiting

    def is_paused(self) -> bool:
        """Return whether people have paused the fleet."""
        is_paused: bool = self.rows("SELECT fleet.is_paused() AS it")[0]["it"]
        return is_paused

    def set_circuit(self, *, is_open: bool, reason: str) -> None:
        """Make it known that the model server is no longer used, or is used again."""
        self.rows("SELECT fleet.set_circuit(%s, %s)", is_open, reason)

    def return_own_tasks(self) -> int:
        """Give back what an earlier worker of this node held; return how many."""
        count: int = self.rows("SELECT fleet.return_own_tasks(%s) AS n", self.worker_id)[0]["n"]
        return count

    def extend(self, task_ids: list[uuid.UUID]) -> set[uuid.UUID]:
        """Renew leases; return those that are still ours."""
        rows = self.rows("SELECT fleet.extend_lease(%s, %s) AS id", self.worker_id, task_ids)
        return {row["id"] for row in rows}

    def record(self, call: Call, task: Task | None) -> None:
        """Store what one call to the model server cost; a canary call belongs to no task."""
        self.rows(
            "SELECT fleet.record_llm_request(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            call.request_id, task and task.task_id, call.model,
            call.prompt_tokens, call.completion_tokens,
            call.duration, call.time_to_first_token, call.outcome, call.cached_prompt_tokens,
        )  # fmt: skip

    def report_endpoint(self, model: str, report: Report) -> None:
        """Store how this node's model server is."""
        self.rows(
            "SELECT fleet.report_endpoint(%s, %s, %s, %s, %s, %s)",
            report.kind, model, report.state, report.slots, report.context_tokens,
            list(report.models),
        )  # fmt: skip

    def record_event(
        self, event: uuid.UUID, at: datetime, severity: str, kind: str, message: str
    ) -> None:
        """Store what happened here; an id that is known changes nothing."""
        self.rows(
            "SELECT fleet.record_event(%s, %s, %s, %s, %s)", event, at, severity, kind, message
        )

    def set_continuation(self, model: str, continuation: Continuation) -> None:
        """Store what this node's model server does with a begun answer."""
        self.rows("SELECT fleet.set_continuation(%s, %s)", model, continuation)

    def claim_judgements(self, limit: int) -> list[Unjudged]:
        """Lease conversations that wait for a verdict."""
        rows = self.rows("SELECT * FROM fleet.claim_judgements(%s, %s)", self.worker_id, limit)
        return [Unjudged(**row) for row in rows]

    def stale_sketches(self, method: str, limit: int) -> list[Unsketched]:
        """Return some accepted conversations whose bands were not made by this method."""
        rows = self.rows("SELECT * FROM fleet.stale_sketches(%s, %s)", method, limit)
        return [Unsketched(**row) for row in rows]

    def store_sketch(self, conversation_id: uuid.UUID, sketch: Sketch) -> None:
        """Store what a conversation is compared by; before its verdict, which compares."""
        self.rows(
            "SELECT fleet.store_sketch(%s, %s, %s, %s, %s, %s)",
            conversation_id, self.worker_id, sketch.method, sketch.words, sketch.bands,
            sketch.example_similarity,
        )  # fmt: skip

    def store_verdict(self, conversation_id: uuid.UUID, verdict: Verdict) -> str:
        """Store a verdict; return the state it led to (duplicates are found only there)."""
        row = self.rows(
            "SELECT fleet.store_verdict(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)::text AS state",
            conversation_id, self.worker_id, *_verdict_arguments(verdict),
        )[0]  # fmt: skip
        state: str = row["state"]
        return state

    def counters(self) -> list[dict[str, Any]]:
        """Return all counters of this node as they stand."""
        return self.rows("SELECT * FROM fleet.read_counters()")

    def settings(self) -> tuple[int, dict[str, Any]]:
        """Return version and values of the settings in force here."""
        row = self.rows("SELECT * FROM fleet.node_settings()")[0]
        return row["version"], row["settings"]


def _verdict_arguments(verdict: Verdict) -> tuple[Any, ...]:
    """Return a verdict as the last arguments of fleet.store_verdict and fleet.reject_task."""
    finding = verdict.finding
    why = (finding.reason, finding.stage, finding.evidence) if finding else (None, None, None)
    counts = (verdict.checks_passed, verdict.checks_total)
    healthcare = {
        "valid": verdict.healthcare_valid,
        "violations": [asdict(violation) for violation in verdict.violations],
    }
    judged = (verdict.scrubbed, verdict.judge, *counts, Jsonb(healthcare))
    return *why, verdict.content_hash, *judged
