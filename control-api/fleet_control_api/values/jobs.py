"""Jobs as they are ordered, listed and cancelled."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from fleet_control_api.values.fields import (
    WHOLE,
    Answer,
    ConversationCount,
    Request,
    ScenarioOrMixed,
    Text,
)
from fleet_control_api.values.paging import Listing, Page

State = Literal["pending", "running", "paused", "done", "failed", "cancelled"]
TURNS_MIN, TURNS_MAX = 2, 40
MIN_TURNS, MAX_TURNS = 6, 8  # of an order that says nothing of turns
Turns = Annotated[int, Field(strict=True, ge=TURNS_MIN, le=TURNS_MAX), WHOLE]
Priority = Annotated[int, Field(strict=True, ge=0, le=10), WHOLE]
KEY = "A repeated request with this key makes no second job."


def relate_turns(schema: dict[str, Any]) -> None:
    """
    Say in JSON Schema, which compares no two values, that min_turns <= max_turns.

    That is so when some number lies between the two. One that is left out has its default.
    """
    between = [
        {
            "properties": {"min_turns": {"maximum": number}, "max_turns": {"minimum": number}},
            "required": [] if number <= MAX_TURNS else ["max_turns"],
        }
        for number in range(TURNS_MIN, TURNS_MAX + 1)
    ]
    alone = {"properties": {"max_turns": {"minimum": MIN_TURNS}}}
    schema["dependentSchemas"] = {
        "min_turns": {"anyOf": between},
        "max_turns": {"anyOf": [{"required": ["min_turns"]}, alone]},
    }


class Order(Request):
    """An order for conversations."""

    model_config = ConfigDict(json_schema_extra=relate_turns)

    scenario: ScenarioOrMixed = Field(description="A scenario, or mixed for all by weight.")
    count: ConversationCount = Field(description="How many conversations to write.")
    min_turns: Turns = Field(MIN_TURNS, description="Fewest turns of a conversation.")
    max_turns: Turns = Field(
        MAX_TURNS, description="Most turns of a conversation; not less than min_turns."
    )
    priority: Priority = Field(5, description="Higher goes first.")
    idempotency_key: Text | None = Field(None, description=KEY)


class JobId(Request):
    """Which job."""

    job_id: UUID = Field(description="The id of the job.")


class Cancellation(JobId):
    """Which job to end, and why."""

    reason: Text | None = Field(None, description="Why, for the audit log.")


class JobFilter(Page):
    """Which jobs to list."""

    state: State | None = Field(None, description="Only jobs in this state.")


class Job(Answer):
    """A job with its progress."""

    job_id: UUID
    state: str = Field(description="pending, running, paused, done, failed or cancelled.")
    scenario: str
    wanted: int = Field(description="Conversations ordered.")
    done: int = Field(description="Conversations accepted.")
    rejected: int
    failed: int
    unjudged: int
    progress_ratio: float | None
    eta_p50_at: datetime | None = Field(description="When it is as likely done as not.")
    eta_p90_at: datetime | None = Field(description="When it is done with a probability of 90 %.")
    priority: int
    rank: int | None
    min_turns: int
    max_turns: int
    requested_by: str
    created_at: datetime
    finished_at: datetime | None


class JobWithTasks(Job):
    """A job with the number of its tasks in each state."""

    tasks: dict[str, int]


class Jobs(Listing):
    """A list of jobs, newest first."""

    jobs: list[Job]
