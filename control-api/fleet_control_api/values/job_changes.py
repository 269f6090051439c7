"""What is changed of jobs: of one, or of all that a filter chooses."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from fleet_control_api.service.errors import InvalidError
from fleet_control_api.values.fields import Answer, Request, ScenarioOrMixed, Text
from fleet_control_api.values.jobs import Job, JobId, Priority, State

Confirmation = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
PICKED_MAX = 100  # jobs; their ids fill half of the longest request line
NOBODY = "none"  # what Grafana sends while nothing is picked; it may stand beside ids
_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def split_ids(value: Any) -> Any:
    """Return the ids of a text with commas between them. Raises InvalidError for none or many."""
    ids = [each for each in str(value).split(",") if each != NOBODY]
    if not 1 <= len(ids) <= PICKED_MAX:
        raise InvalidError(f"1 to {PICKED_MAX} jobs can be picked, not {len(ids)}")
    return ids


JobIds = Annotated[
    list[UUID],
    BeforeValidator(split_ids),
    WithJsonSchema({"type": "string", "pattern": f"^{_ID}(,{_ID}){{0,{PICKED_MAX - 1}}}$"}),
]
Change = Literal["pause", "resume", "cancel", "retry", "move_first", "move_last", "set_priority"]
EACH = "What to do with each; jobs that it cannot be done with are left out."
NEW_PRIORITY = "Of set_priority: the new one."


class JobChange(JobId):
    """Which job to change, and why."""

    reason: Text | None = Field(None, description="Why, for the audit log.")


class MoveToEnd(JobChange):
    """Which job to move to an end of its priority."""

    to: Literal["first", "last"] = Field(description="Where to, within its priority.")


def relate_other(schema: dict[str, Any]) -> None:
    """Say in JSON Schema that before and beside need another job, first and last none."""
    schema["oneOf"] = [
        {
            "properties": {
                "to": {"enum": ["first", "last"]},
                "other_job_id": {"type": "null"},
            }
        },
        {
            "properties": {
                "to": {"enum": ["before", "beside"]},
                "other_job_id": {"type": "string"},
            },
            "required": ["other_job_id"],
        },
    ]


class Move(JobChange):
    """Which job to move within its priority."""

    model_config = ConfigDict(json_schema_extra=relate_other)

    to: Literal["first", "last", "before", "beside"] = Field(
        description="Where to, within its priority: beside another job it shares with it."
    )
    other_job_id: UUID | None = Field(None, description="The job that it goes before or beside.")


class Selection(Request):
    """Which jobs to change at once, and how."""

    change: Change = Field(description=EACH)
    priority: Priority = Field(5, description=NEW_PRIORITY)
    state: State | None = Field(None, description="Only jobs in this state.")
    scenario: ScenarioOrMixed | None = Field(None, description="Only jobs of this scenario.")
    requested_by: Text | None = Field(None, description="Only jobs that this person ordered.")
    having_priority: Priority | None = Field(None, description="Only jobs of this priority.")

    def describe(self) -> dict[str, Any]:
        """Return the filter as fleet.preview_change takes it."""
        names = {"state", "scenario", "requested_by", "having_priority"}
        return self.model_dump(include=names, exclude_none=True)


class ConfirmedSelection(Selection):
    """Jobs to change at once, as a preview told them."""

    confirm: Confirmation = Field(
        description="What the preview gave: other jobs by now are a conflict, and none is changed."
    )
    reason: Text | None = Field(None, description="Why, for the audit log.")


class PickedJobs(Request):
    """Jobs to change at once, each by its id, as a button of several gives them."""

    change: Change = Field(description=EACH)
    job_ids: JobIds = Field(description=f"1 to {PICKED_MAX} ids, with commas between them.")
    priority: Priority = Field(5, description=NEW_PRIORITY)
    reason: Text | None = Field(None, description="Why, for the audit log.")

    def describe(self) -> dict[str, Any]:
        """Return the filter as fleet.preview_change takes it."""
        return {"job_ids": [str(job_id) for job_id in self.job_ids]}


class Preview(Answer):
    """What a change of several jobs would change."""

    change: str
    count: int
    confirm: str = Field(description="Send it to change these jobs and no others.")
    jobs: list[Job] = Field(description="In the order of the queue.")


class Changed(Answer):
    """What a change of several jobs has changed."""

    change: str
    count: int
    jobs: list[Job] = Field(description="As they are now.")
