"""Jobs: list, show, submit, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from flask import Blueprint, request

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import InvalidError, NotFoundError
from fleet_control_api.values.arguments import parse, parse_query
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.jobs import (
    Cancellation,
    Job,
    JobFilter,
    JobId,
    Jobs,
    JobWithTasks,
    Order,
)
from fleet_control_api.values.paging import parse_time

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")

ROWS = Ordered(
    "SELECT * FROM analytics.jobs WHERE state = coalesce(%(state)s, state)",
    {"created_at": parse_time, "job_id": UUID},
    is_newest_first=True,
)


def submit_job(connection: Connection, who: Identity, order: Order) -> Done[Job]:
    """Order conversations. The same key by the same caller gives the same job."""
    values = {**order.model_dump(), "by": who.actor}
    if order.idempotency_key is None:
        row = connection.execute(
            "SELECT true AS is_new, fleet.submit_job(%(scenario)s, %(count)s, %(by)s, "
            "%(min_turns)s, %(max_turns)s, %(priority)s) AS job_id",
            values,
        ).fetchone()
    else:
        row = connection.execute(
            "SELECT is_new, job_id FROM fleet.submit_job_once(%(idempotency_key)s, %(scenario)s, "
            "%(count)s, %(by)s, %(min_turns)s, %(max_turns)s, %(priority)s)",
            values,
        ).fetchone()
    assert row is not None  # noqa: S101 - a function call always has a row
    said = f"{order.count} conversations of {order.scenario}"
    reason = said if row["is_new"] else f"{said}: the same request again, no second job"
    return Done(load_job(connection, row["job_id"]), f"job {row['job_id']}", reason)


def cancel_job(connection: Connection, _: Identity, cancellation: Cancellation) -> Done[Job]:
    """End a job and its open tasks."""
    job_id = cancellation.job_id
    row = connection.execute("SELECT fleet.cancel_job(%s) AS tasks", [job_id]).fetchone()
    assert row is not None  # noqa: S101 - a function call always has a row
    reason = cancellation.reason or f"{row['tasks']} open tasks cancelled"
    return Done(load_job(connection, job_id), f"job {job_id}", reason)


SUBMIT = Command(
    "jobs.submit",
    Role.OPERATOR,
    "Order conversations.",
    Order,
    Job,
    submit_job,
    lambda order: order.scenario,
    InvalidError,
)
CANCEL = Command(
    "jobs.cancel",
    Role.OPERATOR,
    "End a job; its open tasks are cancelled.",
    Cancellation,
    Job,
    cancel_job,
    lambda cancellation: f"job {cancellation.job_id}",
)


@blueprint.get("")
@reads(Jobs, query=JobFilter, errors=(NotFoundError,))
def list_jobs() -> Jobs:
    """List jobs, newest first."""
    wanted = parse_query(JobFilter, request.args.items(multi=True))
    with services().database.statements() as connection:
        rows, cursor = read_page(connection, ROWS, wanted, {"state": wanted.state})
    return Jobs(jobs=[Job(**row) for row in rows], next_cursor=cursor)


@blueprint.post("")
@changes(SUBMIT, status=201)
def submit() -> tuple[Job, int, dict[str, str]]:
    """Order conversations of one scenario."""
    job = perform(SUBMIT, lambda: read_arguments(request, Order))
    return job, 201, {"Location": f"{request.path}/{job.job_id}"}


@blueprint.get("/<job_id>")
@reads(JobWithTasks, path=JobId)
def show_job(job_id: str) -> JobWithTasks:
    """Show one job with the states of its tasks."""
    wanted = parse(JobId, {"job_id": job_id}).job_id
    with services().database.transaction() as connection:
        job = load_job(connection, wanted)
        tasks = connection.execute(
            "SELECT state, count(*) AS count FROM analytics.tasks WHERE job_id = %s "
            "GROUP BY 1 ORDER BY 1",
            [wanted],
        ).fetchall()
    return JobWithTasks(**dict(job), tasks={row["state"]: row["count"] for row in tasks})


@blueprint.post("/<job_id>/cancel")
@changes(CANCEL, path=JobId)
def cancel(job_id: str) -> Job:
    """End a job: open tasks are cancelled, finished conversations stay."""
    return perform(CANCEL, lambda: read_arguments(request, Cancellation, job_id=job_id))


def load_job(connection: Connection, job_id: UUID) -> Job:
    """Return one job. Raises NotFoundError."""
    row = connection.execute("SELECT * FROM analytics.jobs WHERE job_id = %s", [job_id]).fetchone()
    if row is None:
        raise NotFoundError(f"no job {job_id}", remedy="GET /jobs lists all jobs.")
    return Job(**row)


def list_scenarios(connection: Connection) -> list[str]:
    """Return the names of the scenarios that a job may have, besides mixed."""
    rows = connection.execute("SELECT scenario FROM analytics.scenarios ORDER BY 1").fetchall()
    return [row["scenario"] for row in rows]
