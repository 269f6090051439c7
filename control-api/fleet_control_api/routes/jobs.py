"""Jobs: list, show, estimate, order one or several."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from flask import Blueprint, request
from psycopg.types.json import Jsonb

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import asks, changes, reads
from fleet_control_api.routes.listing import Ordered, read_page
from fleet_control_api.service.context import services
from fleet_control_api.service.database import translate
from fleet_control_api.service.errors import InvalidError, NotFoundError
from fleet_control_api.values.arguments import parse, read_query
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.jobs import (
    Batch,
    Estimate,
    FlatOrder,
    Job,
    JobFilter,
    JobId,
    Jobs,
    JobWithTasks,
    Order,
    Orders,
    PickedOrder,
)
from fleet_control_api.values.paging import parse_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_timescale.connection import Connection

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")

ROWS = Ordered(
    "SELECT * FROM analytics.jobs WHERE state = coalesce(%(state)s, state)",
    {"created_at": parse_time, "job_id": UUID},
    is_newest_first=True,
)
ONCE = "SELECT * FROM fleet.submit_order_once(%s, %s, %s)"
SUBMIT_ORDER = "SELECT true AS is_new, fleet.submit_order(%s, %s) AS job_id"
ESTIMATE_ORDER = "SELECT * FROM fleet.estimate_order(%s)"


def submit_job(connection: Connection, who: Identity, order: Order) -> Done[Job]:
    """Order conversations. The same key by the same caller gives the same job."""
    job_id, is_new = _submit(connection, who, order)
    said = f"{order.count} {_name_counted(order)} of {name_scenario(order)}"
    reason = said if is_new else f"{said}: the same request again, no second job"
    return Done(load_job(connection, job_id), f"job {job_id}", reason)


def submit_batch(connection: Connection, who: Identity, batch: Orders) -> Done[Batch]:
    """Take all orders or none."""
    made = []
    for number, order in enumerate(batch.orders):
        try:
            made.append(_submit(connection, who, order)[0])
        except psycopg.Error as exc:
            error = translate(exc, InvalidError)
            if error is None:
                raise
            said = f"orders[{number}]: {error}"
            raise type(error)(said, remedy=error.remedy, retry_seconds=error.retry_seconds) from exc
    jobs = load_jobs(connection, made)
    total = sum(order.count for order in batch.orders)
    reason = f"{len(made)} orders at once, {total} conversations"
    return Done(Batch(jobs=jobs), "jobs", reason, tuple(f"job {job.job_id}" for job in jobs))


def _submit(connection: Connection, who: Identity, order: FlatOrder) -> tuple[UUID, bool]:
    """Return the id of the job, and whether it is new."""
    described = Jsonb(order.describe())
    if order.idempotency_key is None:
        row = connection.execute(SUBMIT_ORDER, [described, who.actor]).fetchall()[0]
    else:
        values = [order.idempotency_key, described, who.actor]
        row = connection.execute(ONCE, values).fetchall()[0]
    return row["job_id"], row["is_new"]


def name_scenario(order: FlatOrder) -> str:
    """Return the scenario, or mixed."""
    scenario: str = order.describe()["scenario"]
    return scenario


def _name_counted(order: FlatOrder) -> str:
    return "conversations" if order.counts == "written" else "accepted conversations"


SUBMIT: Command[Any, Job] = Command(
    "jobs.submit",
    Role.OPERATOR,
    "Order conversations.",
    Order,
    Job,
    submit_job,
    name_scenario,
    InvalidError,
)
# In a query string there is no room for a mix.
SUBMIT_PICKED = replace(SUBMIT, arguments=PickedOrder)
SUBMIT_BATCH = Command(
    "jobs.batch",
    Role.OPERATOR,
    "Order several jobs at once, all or none.",
    Orders,
    Batch,
    submit_batch,
    lambda batch: f"{len(batch.orders)} orders",
    InvalidError,
)


@blueprint.get("")
@reads(Jobs, query=JobFilter, errors=(NotFoundError,))
def list_jobs() -> Jobs:
    """List jobs, newest first."""
    wanted = read_query(request, JobFilter)
    with services().database.statements() as connection:
        rows, cursor = read_page(connection, ROWS, wanted, {"state": wanted.state})
    return Jobs(jobs=[Job(**row) for row in rows], next_cursor=cursor)


@blueprint.post("")
@changes(SUBMIT, status=201)
def submit() -> tuple[Job, int, dict[str, str]]:
    """Order conversations of one scenario, or of several by weight."""
    job = perform(SUBMIT, lambda: read_arguments(request, Order))
    return job, 201, {"Location": f"{request.path}/{job.job_id}"}


@blueprint.post("/batch")
@changes(SUBMIT_BATCH)
def submit_several() -> Batch:
    """Order several jobs at once: all are taken, or none."""
    return perform(SUBMIT_BATCH, lambda: read_arguments(request, Orders))


@blueprint.post("/estimate")
@asks(Estimate, Order, Role.OPERATOR)
def estimate() -> Estimate:
    """Say what an order would be told if it were given now; nothing is ordered."""
    order = read_arguments(request, Order)
    with services().database.transaction() as connection:
        try:
            row = connection.execute(ESTIMATE_ORDER, [Jsonb(order.describe())]).fetchall()[0]
        except psycopg.Error as exc:
            raise translate(exc, InvalidError) or exc from exc
    return Estimate(**row, note=explain_absence(row))


def explain_absence(row: dict[str, object]) -> str | None:
    """Return why an estimate has no time; None where it has one."""
    if row["eta_p50_at"] is not None:
        return None
    if row["remaining"] is None:
        return "the fleet is paused"
    if row["nodes"] == 0:
        return "no machine that is on may write it"
    return "too little was written in the last hour to know the pace"


@blueprint.get("/<job:job_id>")
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


def load_job(connection: Connection, job_id: UUID) -> Job:
    """Return one job. Raises NotFoundError."""
    found = load_jobs(connection, [job_id])
    if not found:
        raise NotFoundError(f"no job {job_id}", remedy="GET /jobs lists all jobs.")
    return found[0]


def load_jobs(connection: Connection, job_ids: Sequence[UUID]) -> list[Job]:
    """Return the jobs in the order of their ids here."""
    rows = connection.execute(
        "SELECT * FROM analytics.jobs WHERE job_id = ANY (%s) "
        "ORDER BY array_position(%s::uuid[], job_id)",
        [list(job_ids), list(job_ids)],
    ).fetchall()
    return [Job(**row) for row in rows]


def list_scenarios(connection: Connection) -> list[str]:
    """Return the names of the scenarios that a job may have, besides mixed."""
    rows = connection.execute("SELECT scenario FROM analytics.scenarios ORDER BY 1").fetchall()
    return [row["scenario"] for row in rows]
