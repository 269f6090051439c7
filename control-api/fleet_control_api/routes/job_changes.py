"""Changes of jobs: pause, resume, move, cancel, retry; one job, or all that a filter chooses."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, LiteralString

from flask import Blueprint, request
from psycopg.types.json import Jsonb

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import asks, changes
from fleet_control_api.routes.jobs import load_job, load_jobs
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import ConflictError
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.job_changes import (
    Changed,
    ConfirmedSelection,
    JobChange,
    Move,
    MoveToEnd,
    PickedJobs,
    Preview,
    Selection,
)
from fleet_control_api.values.jobs import Job, JobId

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_timescale.connection import Connection

blueprint = Blueprint("job_changes", __name__, url_prefix="/jobs")

PREVIEW = "SELECT jobs, confirm FROM fleet.preview_change(%s, %s, %s)"
CHANGE = "SELECT fleet.change_jobs(%s, %s, %s, %s) AS jobs"


def change_job(
    statement: LiteralString,
    said: Callable[[Any], str],
    connection: Connection,
    _: Identity,
    change: JobChange,
) -> Done[Job]:
    """Call the function of a change; `said` is the reason where the caller gave none."""
    done = connection.execute(statement, change.model_dump()).fetchall()[0]["done"]
    reason = change.reason or said(done)
    return Done(load_job(connection, change.job_id), f"job {change.job_id}", reason)


def _command(
    verb: str, summary: str, statement: LiteralString, said: Callable[[Any], str]
) -> Command[JobChange, Job]:
    return Command(
        f"jobs.{verb}",
        Role.OPERATOR,
        summary,
        JobChange,
        Job,
        partial(change_job, statement, said),
        lambda change: f"job {change.job_id}",
    )


CANCEL = _command(
    "cancel",
    "End a job; its open tasks are cancelled.",
    "SELECT fleet.cancel_job(%(job_id)s) AS done",
    lambda tasks: f"{tasks} open tasks cancelled",
)
PAUSE = _command(
    "pause",
    "Let no node claim tasks of a job until it is resumed.",
    "SELECT fleet.pause_job(%(job_id)s) AS done",
    lambda is_changed: "" if is_changed else "was paused already",
)
RESUME = _command(
    "resume",
    "Let the nodes go on with a job.",
    "SELECT fleet.resume_job(%(job_id)s) AS done",
    lambda is_changed: "" if is_changed else "was not paused",
)
RETRY = _command(
    "retry",
    "Have the failed tasks of a job tried again.",
    "SELECT fleet.retry_job(%(job_id)s) AS done",
    lambda tasks: f"{tasks} failed tasks tried again",
)
MOVE: Command[Any, Job] = replace(
    _command(
        "move",
        "Change the order of jobs of one priority.",
        "SELECT fleet.move_job(%(job_id)s, %(to)s, %(other_job_id)s) AS done",
        lambda rank: f"rank {rank}",
    ),
    arguments=Move,
)
# In a query string nothing says that one value needs another.
MOVE_TO_END = replace(
    _command(
        "move",
        "Put a job before or behind the others of its priority.",
        "SELECT fleet.move_job(%(job_id)s, %(to)s) AS done",
        lambda rank: f"rank {rank}",
    ),
    arguments=MoveToEnd,
)


def change_jobs(connection: Connection, _: Identity, wanted: ConfirmedSelection) -> Done[Changed]:
    """Change all jobs that were confirmed, or none."""
    return _change(connection, wanted, wanted.confirm, name_change(wanted))


def change_picked(connection: Connection, _: Identity, wanted: PickedJobs) -> Done[Changed]:
    """Change those of the jobs that allow it; whoever names each needs no preview."""
    values = [wanted.change, Jsonb(wanted.describe()), wanted.priority]
    told = connection.execute(PREVIEW, values).fetchall()[0]
    picked = len(set(wanted.job_ids))
    if not told["jobs"]:
        raise ConflictError(
            f"{wanted.change} can be done with none of the {picked} picked jobs",
            remedy="They have ended, or are so already: look at their states.",
        )
    said = f"{_name(wanted)} of {len(told['jobs'])} of {picked} picked jobs"
    return _change(connection, wanted, told["confirm"], said)


def _change(
    connection: Connection, wanted: ConfirmedSelection | PickedJobs, confirm: str, said: str
) -> Done[Changed]:
    values = [wanted.change, Jsonb(wanted.describe()), wanted.priority, confirm]
    jobs = load_jobs(connection, connection.execute(CHANGE, values).fetchall()[0]["jobs"])
    reason = f"{said}: {wanted.reason}" if wanted.reason else said
    answer = Changed(change=wanted.change, count=len(jobs), jobs=jobs)
    return Done(answer, f"{len(jobs)} jobs", reason, tuple(f"job {job.job_id}" for job in jobs))


def name_change(wanted: Selection) -> str:
    """Return the change with its value, and by what the jobs are chosen."""
    chosen = ", ".join(f"{name} {value}" for name, value in wanted.describe().items())
    return f"{_name(wanted)} of {f'jobs with {chosen}' if chosen else 'all jobs'}"


def _name(wanted: Selection | PickedJobs) -> str:
    return wanted.change + (f" {wanted.priority}" if wanted.change == "set_priority" else "")


UPDATE = Command(
    "jobs.update",
    Role.OPERATOR,
    "Change all jobs that a preview told.",
    ConfirmedSelection,
    Changed,
    change_jobs,
    name_change,
)
UPDATE_PICKED = Command(
    "jobs.update",
    Role.OPERATOR,
    "Change all jobs of a list that allow it.",
    PickedJobs,
    Changed,
    change_picked,
    lambda wanted: f"{len(wanted.job_ids)} jobs",
)


@blueprint.post("/<job_id>/cancel")
@changes(CANCEL, path=JobId)
def cancel(job_id: str) -> Job:
    """End a job: open tasks are cancelled, finished conversations stay."""
    return perform(CANCEL, lambda: read_arguments(request, JobChange, job_id=job_id))


@blueprint.post("/<job_id>/pause")
@changes(PAUSE, path=JobId)
def pause(job_id: str) -> Job:
    """Let no node claim tasks of a job; running conversations are finished."""
    return perform(PAUSE, lambda: read_arguments(request, JobChange, job_id=job_id))


@blueprint.post("/<job_id>/resume")
@changes(RESUME, path=JobId)
def resume(job_id: str) -> Job:
    """Let the nodes go on with a job."""
    return perform(RESUME, lambda: read_arguments(request, JobChange, job_id=job_id))


@blueprint.post("/<job_id>/retry")
@changes(RETRY, path=JobId)
def retry(job_id: str) -> Job:
    """Have the tasks that were given up tried again."""
    return perform(RETRY, lambda: read_arguments(request, JobChange, job_id=job_id))


@blueprint.post("/<job_id>/move")
@changes(MOVE, path=JobId)
def move(job_id: str) -> Job:
    """Change the order of jobs of one priority."""
    return perform(MOVE, lambda: read_arguments(request, Move, job_id=job_id))


@blueprint.post("/update/preview")
@asks(Preview, Selection)
def preview() -> Preview:
    """Say which jobs a change of several would change; nothing is changed."""
    wanted = read_arguments(request, Selection)
    values = [wanted.change, Jsonb(wanted.describe()), wanted.priority]
    with services().database.transaction() as connection:
        found = connection.execute(PREVIEW, values).fetchall()[0]
        jobs = load_jobs(connection, found["jobs"])
    return Preview(change=wanted.change, count=len(jobs), confirm=found["confirm"], jobs=jobs)


@blueprint.post("/update")
@changes(UPDATE)
def update() -> Changed:
    """Change all jobs that a preview told, or none."""
    return perform(UPDATE, lambda: read_arguments(request, ConfirmedSelection))
