"""`fleet jobs`: order conversations, see how they stand, steer them, one job or many."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group

from fleet_control_api.client.remote import quote
from fleet_control_api.client.tables import render_fields, render_table
from fleet_control_api.client.verbs import add, add_noun, pick_given
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fleet_control_api.client.remote import Remote
    from fleet_control_api.client.verbs import Answer

COLUMNS = (
    "job_id", "state", "scenario", "progress", "rejected", "failed", "created_at", "eta_p50_at",
)  # fmt: skip
ORDER = ("scenario", "count", "counts", "budget", "min_turns", "max_turns", "priority", "seed",
         "model", "node_class", "vram_bytes_min", "idempotency_key")  # fmt: skip
FILTER = ("change", "priority", "state", "scenario", "requested_by", "having_priority")
CHANGES = ("pause", "resume", "cancel", "retry", "move_first", "move_last", "set_priority")

Arguments = argparse.Namespace


def list_jobs(remote: Remote, arguments: Arguments) -> Answer:
    """List jobs, newest first."""
    answer = remote.read_all("/jobs", "jobs", {"state": arguments.state}, arguments.limit)
    return answer, render_jobs(answer["jobs"])


def render_jobs(jobs: list[dict[str, Any]]) -> RenderableType:
    """Return the jobs as a table."""
    rows = [{**job, "progress": f"{job['done']}/{job['wanted']}"} for job in jobs]
    return render_table(rows, COLUMNS)


def submit_job(remote: Remote, arguments: Arguments) -> Answer:
    """Order conversations, or only ask what an order would be told."""
    order = pick_given(arguments, *ORDER)
    if arguments.dry_run:
        estimate = remote.call("POST", "/jobs/estimate", body=order)
        return estimate, render_fields(estimate)
    job = remote.call("POST", "/jobs", body=order)
    counted = "accepted conversations" if job["counts"] == "accepted" else "conversations"
    return job, f"Job {job['job_id']}: {job['wanted']} {counted} of {job['scenario']} ordered."


def submit_batch(remote: Remote, arguments: Arguments) -> Answer:
    """Order all jobs of a file, or none."""
    try:
        orders = json.loads(read_text(arguments.file))
    except ValueError as exc:
        raise ClientError(f"{arguments.file} is not valid JSON: {exc}") from exc
    answer = remote.call("POST", "/jobs/batch", body={"orders": orders})
    return answer, render_jobs(answer["jobs"])


def read_text(path: Path) -> str:
    """Return the text of a file, of standard input for `-`. Raises ClientError."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as exc:
        raise ClientError(f"{path} cannot be read: {exc}") from exc


def show_job(remote: Remote, arguments: Arguments) -> Answer:
    """Show one job."""
    job = remote.call("GET", f"/jobs/{quote(arguments.job_id)}")
    return job, render_fields(job)


def change_job(verb: str, said: str, remote: Remote, arguments: Arguments) -> Answer:
    """Change one job; `said` has the names of its fields in braces."""
    body = pick_given(arguments, "reason", "to", "other_job_id")
    job = remote.call("POST", f"/jobs/{quote(arguments.job_id)}/{verb}", body=body)
    return job, f"Job {job['job_id']} {said.format_map(job)}"


def update_jobs(remote: Remote, arguments: Arguments) -> Answer:
    """Say which jobs a change would change; with what that confirms, change them."""
    body = pick_given(arguments, *FILTER)
    if arguments.confirm is None:
        answer = remote.call("POST", "/jobs/update/preview", body=body)
        said = f"{answer['count']} jobs, not changed yet; --confirm {answer['confirm']} does it."
    else:
        body |= pick_given(arguments, "confirm", "reason")
        answer = remote.call("POST", "/jobs/update", body=body)
        said = f"{answer['count']} jobs changed."
    return answer, Group(render_jobs(answer["jobs"]), said)


def parse_scenario(text: str) -> str | dict[str, float]:
    """Return a name, or the weights of complaint=3,lab_results=1. Raises what argparse tells."""
    if "=" not in text:
        return text
    pairs = [part.partition("=") for part in text.split(",")]
    try:
        return {name.strip(): float(weight) for name, _, weight in pairs}
    except ValueError:
        said = f"{text!r} is not like complaint=3,lab_results=1"
        raise argparse.ArgumentTypeError(said) from None


def add_jobs(nouns: Any) -> None:
    """Add the noun with its verbs to the command line."""
    verbs = add_noun(nouns, "jobs", "order conversations, see and steer orders")
    listing = add(verbs, "list", list_jobs, "list jobs, newest first", route="GET /jobs")
    listing.add_argument("--state", help="only jobs in this state")
    listing.add_argument("--limit", type=int, default=50, help="at most so many")
    show = add(verbs, "show", show_job, "show one job", route="GET /jobs/{job_id}")
    show.add_argument("job_id", metavar="ID")
    _add_submit(add(verbs, "submit", submit_job, "order conversations", route="POST /jobs"))
    summary = "order all jobs of a file, or none"
    batch = add(verbs, "batch", submit_batch, summary, route="POST /jobs/batch")
    batch.add_argument("file", type=Path, metavar="FILE.json", help="a list of orders; - reads it")
    for verb, said, summary in (
        ("pause", "is paused: what is being written is finished.", "claim none of its tasks"),
        ("resume", "goes on.", "go on with a paused job"),
        ("cancel", "is cancelled; {done} accepted conversations stay.", "end it for good"),
        ("retry", "is {state}; its failed tasks are tried again.", "try failed tasks again"),
        ("move", "has rank {rank} in priority {priority}.", "change the order in a priority"),
    ):
        handler = partial(change_job, verb, said)
        parser = add(verbs, verb, handler, summary, route=f"POST /jobs/{{job_id}}/{verb}")
        parser.add_argument("job_id", metavar="ID")
        if verb == "move":
            parser.add_argument("to", choices=("first", "last", "before", "beside"))
            parser.add_argument("other_job_id", nargs="?", metavar="OTHER", help="another job")
        parser.add_argument("--reason", help="why, for the audit log")
    summary = "change several jobs, after a look at which"
    _add_update(add(verbs, "update", update_jobs, summary, route="POST /jobs/update"))


def _add_submit(submit: argparse.ArgumentParser) -> None:
    submit.add_argument(
        "--scenario",
        type=parse_scenario,
        required=True,
        help="a scenario, mixed, or weights such as complaint=3,lab_results=1",
    )
    submit.add_argument("--count", type=int, required=True, help="how many conversations")
    submit.add_argument(
        "--counts", choices=("written", "accepted"), help="write on until so many are accepted"
    )
    submit.add_argument("--budget", type=int, help="of accepted: at most so many times the count")
    submit.add_argument("--min-turns", type=int, help="fewest turns of a conversation")
    submit.add_argument("--max-turns", type=int, help="most turns of a conversation, at most 60")
    submit.add_argument("--priority", type=int, help="0 to 10; higher goes first")
    submit.add_argument("--seed", type=int, help="the same people and facts as with it before")
    submit.add_argument("--model", help="only machines with this model")
    submit.add_argument("--node-class", help="only machines of this class, such as gpu")
    submit.add_argument("--vram-bytes-min", type=int, help="only machines with such a GPU")
    submit.add_argument("--key", dest="idempotency_key", help="no second job under this key")
    submit.add_argument("--dry-run", action="store_true", help="say when it would end, order none")


def _add_update(update: argparse.ArgumentParser) -> None:
    update.add_argument("change", choices=CHANGES)
    update.add_argument("--priority", type=int, help="of set_priority: the new one")
    update.add_argument("--state", help="only jobs in this state")
    update.add_argument("--scenario", help="only jobs of this scenario, or mixed")
    update.add_argument("--requested-by", help="only jobs that this person ordered")
    update.add_argument("--having-priority", type=int, help="only jobs of this priority")
    update.add_argument("--confirm", help="what the preview said: change just these jobs")
    update.add_argument("--reason", help="why, for the audit log")
