"""Jobs: list, show, submit, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, request

from fleet_control_api.arguments import Field, Kind, parse
from fleet_control_api.body import read_body
from fleet_control_api.commands import Arguments, Command, Done
from fleet_control_api.context import services
from fleet_control_api.errors import InvalidError, NotFoundError
from fleet_control_api.identity import Identity, Role
from fleet_control_api.perform import perform
from fleet_control_api.roles import changes, reads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask.typing import ResponseReturnValue
    from fleet_timescale.connection import Connection

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")

STATES = ("pending", "running", "paused", "done", "failed", "cancelled")
LIST_MAX = 1000  # jobs in one answer
LISTING = (
    Field("state", Kind.TEXT, "Only jobs in this state.", choices=STATES),
    Field("limit", Kind.INTEGER, f"At most so many, newest first; up to {LIST_MAX}.", default=100),
)
JOB_ID = Field("job_id", Kind.UUID, "The id of the job.", is_required=True)
ORDER = (
    Field("scenario", Kind.TEXT, "A scenario, or mixed for all by weight.", is_required=True),
    Field("count", Kind.INTEGER, "How many conversations to write.", is_required=True),
    Field("min_turns", Kind.INTEGER, "Fewest turns of a conversation, at least 2.", default=6),
    Field("max_turns", Kind.INTEGER, "Most turns of a conversation, at most 40.", default=8),
    Field("priority", Kind.INTEGER, "0 to 10; higher goes first.", default=5),
    Field("idempotency_key", Kind.TEXT, "A repeated request with this key makes no second job."),
)


def submit_job(connection: Connection, who: Identity, order: Arguments) -> Done:
    """Order conversations. The same key by the same caller gives the same job."""
    order = {**order, "by": who.actor}
    if order["idempotency_key"] is None:
        row = connection.execute(
            "SELECT true AS is_new, fleet.submit_job(%(scenario)s, %(count)s, %(by)s, "
            "%(min_turns)s, %(max_turns)s, %(priority)s) AS job_id",
            order,
        ).fetchone()
    else:
        row = connection.execute(
            "SELECT is_new, job_id FROM fleet.submit_job_once(%(idempotency_key)s, %(scenario)s, "
            "%(count)s, %(by)s, %(min_turns)s, %(max_turns)s, %(priority)s)",
            order,
        ).fetchone()
    assert row is not None  # noqa: S101 - a function call always has a row
    said = f"{order['count']} conversations of {order['scenario']}"
    reason = said if row["is_new"] else f"{said}: the same request again, no second job"
    return Done(load_job(connection, row["job_id"]), f"job {row['job_id']}", reason)


def cancel_job(connection: Connection, _: Identity, arguments: Arguments) -> Done:
    """End a job and its open tasks."""
    job_id = arguments["job_id"]
    row = connection.execute("SELECT fleet.cancel_job(%s) AS tasks", [job_id]).fetchone()
    assert row is not None  # noqa: S101 - a function call always has a row
    reason = arguments["reason"] or f"{row['tasks']} open tasks cancelled"
    return Done(load_job(connection, job_id), f"job {job_id}", reason)


def name_job(arguments: Mapping[str, Any]) -> str:
    """Name what a failed attempt was about."""
    return f"job {arguments['job_id']}" if "job_id" in arguments else f"{arguments['scenario']}"


SUBMIT = Command(
    "jobs.submit", Role.OPERATOR, "Order conversations.", ORDER, submit_job, name_job, InvalidError
)
CANCEL = Command(
    "jobs.cancel",
    Role.OPERATOR,
    "End a job; its open tasks are cancelled.",
    (JOB_ID, Field("reason", Kind.TEXT, "Why, for the audit log.")),
    cancel_job,
    name_job,
)


@blueprint.get("")
@reads(query=LISTING)
def list_jobs() -> dict[str, Any]:
    """List jobs, newest first."""
    wanted = parse(LISTING, request.args, is_query=True)
    if not 1 <= wanted["limit"] <= LIST_MAX:
        raise InvalidError(f"limit must be between 1 and {LIST_MAX}, not {wanted['limit']}")
    with services().database.transaction() as connection:
        rows = connection.execute(
            "SELECT * FROM analytics.jobs WHERE state = coalesce(%(state)s, state) "
            "ORDER BY created_at DESC, job_id LIMIT %(limit)s",
            wanted,
        ).fetchall()
    return {"jobs": rows}


@blueprint.post("")
@changes(SUBMIT)
def submit() -> ResponseReturnValue:
    """Order conversations of one scenario. The header Idempotency-Key makes a repeat harmless."""

    def read() -> Arguments:
        body = read_body(request)
        key = request.headers.get("Idempotency-Key")
        return parse(ORDER, body if key is None else {**body, "idempotency_key": key})

    job = perform(SUBMIT, read)
    return job, 201, {"Location": f"{request.path}/{job['job_id']}"}


@blueprint.get("/<job_id>")
@reads()
def show_job(job_id: str) -> dict[str, Any]:
    """Show one job with the states of its tasks."""
    wanted = parse((JOB_ID,), {"job_id": job_id})["job_id"]
    with services().database.transaction() as connection:
        job = load_job(connection, wanted)
        tasks = connection.execute(
            "SELECT state, count(*) AS count FROM analytics.tasks WHERE job_id = %s "
            "GROUP BY 1 ORDER BY 1",
            [wanted],
        ).fetchall()
    return {**job, "tasks": {row["state"]: row["count"] for row in tasks}}


@blueprint.post("/<job_id>/cancel")
@changes(CANCEL, in_path=("job_id",))
def cancel(job_id: str) -> dict[str, Any]:
    """End a job: open tasks are cancelled, finished conversations stay."""
    return perform(CANCEL, lambda: parse(CANCEL.fields, {**read_body(request), "job_id": job_id}))


def load_job(connection: Connection, job_id: Any) -> dict[str, Any]:
    """Return one job. Raises NotFoundError."""
    row = connection.execute("SELECT * FROM analytics.jobs WHERE job_id = %s", [job_id]).fetchone()
    if row is None:
        raise NotFoundError(f"no job {job_id}", remedy="GET /jobs lists all jobs.")
    return row
