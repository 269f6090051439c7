"""Jobs as they are ordered, estimated and listed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    WithJsonSchema,
    WrapValidator,
)
from typing_extensions import TypeAliasType

from fleet_control_api.service.errors import InvalidError
from fleet_control_api.values.explain import shorten
from fleet_control_api.values.fields import (
    WHOLE,
    Answer,
    ConversationCount,
    Request,
    ScenarioOrMixed,
    Text,
)
from fleet_control_api.values.paging import Listing, Page

if TYPE_CHECKING:
    from collections.abc import Callable

State = Literal["pending", "running", "paused", "done", "failed", "cancelled"]
TURNS_MIN, TURNS_MAX = 2, 60
MIN_TURNS, MAX_TURNS = 6, 8  # of an order that says nothing of turns
ORDERS_MAX = 100  # of one batch
Turns = Annotated[int, Field(strict=True, ge=TURNS_MIN, le=TURNS_MAX), WHOLE]
Priority = Annotated[int, Field(strict=True, ge=0, le=10), WHOLE]
Budget = Annotated[int, Field(strict=True, ge=1, le=20), WHOLE]
Seed = Annotated[int, Field(strict=True, ge=0, le=2**53 - 1), WHOLE]
Bytes = Annotated[int, Field(strict=True, ge=1, le=2**53 - 1), WHOLE]
NodeClass = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
WEIGHT_MIN, WEIGHT_MAX = 0.001, 1000
WEIGHT = {"type": "number", "minimum": WEIGHT_MIN, "maximum": WEIGHT_MAX}
WEIGHTS = {"type": "object", "minProperties": 1, "additionalProperties": WEIGHT}
KEY = "A repeated request with this key makes no second job."


def parse_scenario(value: Any, parse_name: Callable[[Any], str]) -> Any:
    """Return a name, or weights by name. Raises what `parse_name` raises, and InvalidError."""
    if not isinstance(value, dict):
        return parse_name(value)
    for name, weight in value.items():
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not (is_number and WEIGHT_MIN <= weight <= WEIGHT_MAX):
            raise InvalidError(
                f"the weight of {shorten(name)} must be a number between {WEIGHT_MIN} and "
                f"{WEIGHT_MAX}, not {shorten(weight)}"
            )
        parse_name(name)
    if not value:
        raise InvalidError("a mixed job needs a scenario with a weight")
    return value


# The scenarios that there are stand in the OpenAPI document.
ScenarioOrWeights = TypeAliasType(
    "ScenarioOrWeights",
    Annotated[
        Text,
        WrapValidator(parse_scenario),
        WithJsonSchema({"anyOf": [TypeAdapter(Text).json_schema(), WEIGHTS]}),
    ],
)


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


class FlatOrder(Request):
    """An order for conversations, as a button gives it."""

    model_config = ConfigDict(json_schema_extra=relate_turns)

    scenario: ScenarioOrMixed = Field(description="A scenario, or mixed for several by weight.")
    count: ConversationCount = Field(
        description="How many conversations to write, or to have accepted."
    )
    counts: Literal["written", "accepted"] = Field(
        "written",
        description="Whether it ends when so many are written, or writes on until so many are "
        "accepted.",
    )
    budget: Budget = Field(
        3,
        description="Of a job that counts accepted ones: at most so many times count are written.",
    )
    min_turns: Turns = Field(MIN_TURNS, description="Fewest turns of a conversation.")
    max_turns: Turns = Field(
        MAX_TURNS, description="Most turns of a conversation; not less than min_turns."
    )
    priority: Priority = Field(5, description="Higher goes first.")
    seed: Seed | None = Field(
        None, description="The same order with the same seed asks for the same people and facts."
    )
    model: Text | None = Field(None, description="Only machines with this model write it.")
    node_class: NodeClass | None = Field(
        None, description="Only machines of this class write it, such as gpu or cpu."
    )
    vram_bytes_min: Bytes | None = Field(
        None, description="Only machines with one GPU of at least so much memory write it."
    )
    idempotency_key: Text | None = Field(None, description=KEY)

    def describe(self) -> dict[str, Any]:
        """Return the order as fleet.submit_order takes it."""
        left_out = {"idempotency_key"}
        return {name: value for name, value in self if name not in left_out and value is not None}


ANY = "any"  # what a list to pick from sends where it does not matter
AnyModel = Annotated[Text | None, AfterValidator(lambda model: None if model == ANY else model)]
AnyClass = Annotated[NodeClass | None, AfterValidator(lambda name: None if name == ANY else name)]
AnyBytes = Annotated[Bytes | None, BeforeValidator(lambda size: None if size == ANY else size)]


class PickedOrder(FlatOrder):
    """An order whose constraints are picked from lists, each of which has "any"."""

    model: AnyModel = Field(None, description="Only machines with this model write it.")
    node_class: AnyClass = Field(None, description="Only machines of this class write it.")
    vram_bytes_min: AnyBytes = Field(
        None, description="Only machines with one GPU of at least so much memory write it."
    )


class Order(FlatOrder):
    """An order for conversations."""

    scenario: ScenarioOrWeights = Field(
        description="A scenario, mixed for all by the weights of the settings, or weights such as "
        '{"complaint": 3, "lab_results": 1}.'
    )

    def describe(self) -> dict[str, Any]:
        """Return the order as fleet.submit_order takes it."""
        order = super().describe()
        if isinstance(self.scenario, str):
            return order
        return {**order, "scenario": "mixed", "mix": self.scenario}


class Orders(Request):
    """Several orders, of which all are taken or none."""

    orders: list[Order] = Field(
        min_length=1, max_length=ORDERS_MAX, description=f"1 to {ORDERS_MAX} orders."
    )


class JobId(Request):
    """Which job."""

    job_id: UUID = Field(description="The id of the job.")


class JobFilter(Page):
    """Which jobs to list."""

    state: State | None = Field(None, description="Only jobs in this state.")


class Job(Answer):
    """A job with its progress."""

    job_id: UUID
    state: str = Field(description="pending, running, paused, done, failed or cancelled.")
    scenario: str
    wanted: int = Field(description="Conversations ordered.")
    counts: str = Field(description="Which conversations are counted: written or accepted.")
    budget: int = Field(description="At most so many times the wanted number are written.")
    tasks_max: int = Field(description="Conversations that may be tried: wanted x budget.")
    tasks_made: int = Field(description="Conversations tried so far: the used part of tasks_max.")
    done: int = Field(description="Conversations accepted.")
    rejected: int
    failed: int
    unjudged: int
    progress_ratio: float | None
    remaining: int | None = Field(description="Conversations that are probably still written.")
    eta_p50_at: datetime | None = Field(description="When it is as likely done as not.")
    eta_p90_at: datetime | None = Field(description="When it is done with a probability of 90 %.")
    priority: int
    rank: int | None
    min_turns: int
    max_turns: int
    mix: dict[str, float] = Field(description="The weight of each scenario.")
    seed: int
    model: str | None
    node_class: str | None
    vram_bytes_min: int | None
    requested_by: str
    created_at: datetime
    finished_at: datetime | None


class JobWithTasks(Job):
    """A job with the number of its tasks in each state."""

    tasks: dict[str, int]


class Jobs(Listing):
    """A list of jobs, newest first."""

    jobs: list[Job]


class Batch(Answer):
    """The jobs of several orders, in their order."""

    jobs: list[Job]


class Estimate(Answer):
    """What an order would be told if it were given now."""

    nodes: int = Field(description="Machines that are on and may write it.")
    tasks_max: int | None = Field(description="Conversations that are written at most.")
    remaining: int | None = Field(description="Conversations that are probably written.")
    queued_before: int | None = Field(description="Conversations of other jobs before its end.")
    eta_p50_at: datetime | None = Field(description="When it would as likely be done as not.")
    eta_p90_at: datetime | None = Field(
        description="When it would be done with a probability of 90 %."
    )
    note: str | None = Field(description="Why there is no time, where there is none.")
