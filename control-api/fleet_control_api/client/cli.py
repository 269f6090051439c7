"""
`fleet <noun> <verb>`: the control API from the command line.

`./fleet` passes address and token. Answers go to standard output, as tables or with --json
as the API gave them; errors are one sentence on standard error and exit code 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fleet_control_api.client.access import add_nouns
from fleet_control_api.client.download import fetch_export
from fleet_control_api.client.nodes import add_nodes
from fleet_control_api.client.remote import Remote
from fleet_control_api.client.settings import add_config, verify_audit
from fleet_control_api.client.tables import render_fields, render_table
from fleet_control_api.service.errors import ClientError

JOB_COLUMNS = ("job_id", "state", "scenario", "wanted", "done", "rejected", "failed", "eta_p50_at")
AUDIT_COLUMNS = ("time", "actor", "role", "way", "action", "target", "outcome", "reason")

Arguments = argparse.Namespace
Handler = Callable[[Remote, Arguments], tuple[Any, str]]  # the answer, and how people read it


def main(argv: Sequence[str], *, url: str, token: str) -> int:
    """Carry out one command; argv begins with the noun. Return 0, or 1 after an error was said."""
    arguments = make_parser().parse_args(argv)
    try:
        answer, text = arguments.handler(Remote(url.rstrip("/"), token), arguments)
    except ClientError as exc:
        sys.stderr.write(f"fleet: {exc}\n")
        return 1
    sys.stdout.write(f"{json.dumps(answer, indent=2) if arguments.json else text}\n")
    return 0


def list_jobs(remote: Remote, arguments: Arguments) -> tuple[Any, str]:
    """List jobs, newest first."""
    query = {"limit": arguments.limit, "state": arguments.state}
    answer = remote.call("GET", "/jobs", query=query)
    return answer, render_table(answer["jobs"], JOB_COLUMNS)


def submit_job(remote: Remote, arguments: Arguments) -> tuple[Any, str]:
    """Order conversations."""
    names = ("scenario", "count", "min_turns", "max_turns", "priority")
    order = {name: getattr(arguments, name) for name in names}
    job = remote.call("POST", "/jobs", body={k: v for k, v in order.items() if v is not None})
    return job, f"Job {job['job_id']}: {job['wanted']} conversations of {job['scenario']} ordered."


def show_job(remote: Remote, arguments: Arguments) -> tuple[Any, str]:
    """Show one job."""
    job = remote.call("GET", f"/jobs/{arguments.job_id}")
    return job, render_fields(job)


def cancel_job(remote: Remote, arguments: Arguments) -> tuple[Any, str]:
    """End a job."""
    body = {"reason": arguments.reason} if arguments.reason is not None else {}
    job = remote.call("POST", f"/jobs/{arguments.job_id}/cancel", body=body)
    return job, f"Job {job['job_id']} is cancelled; {job['done']} accepted conversations stay."


def pause_fleet(remote: Remote, arguments: Arguments) -> tuple[Any, str]:
    """Pause."""
    return _set_state(remote, arguments, "pause", "paused: no node takes new work until resume")


def resume_fleet(remote: Remote, arguments: Arguments) -> tuple[Any, str]:
    """Resume."""
    return _set_state(remote, arguments, "resume", "running: nodes take work")


def _set_state(remote: Remote, arguments: Arguments, verb: str, said: str) -> tuple[Any, str]:
    body = {"reason": arguments.reason} if arguments.reason is not None else {}
    answer = remote.call("POST", f"/fleet/{verb}", body=body)
    already = "" if answer["changed"] else " (it was already)"
    return answer, f"The fleet is {said}{already}."


def list_audit(remote: Remote, arguments: Arguments) -> tuple[Any, str]:
    """List who tried to change what."""
    answer = remote.call("GET", "/audit", query={"limit": arguments.limit})
    return answer, render_table(answer["audit"], AUDIT_COLUMNS)


def export_lex(remote: Remote, arguments: Arguments) -> tuple[Any, str]:
    """Write accepted conversations into a zip of Lex files."""
    query = {"job": arguments.job, "scenario": arguments.scenario}
    manifest = fetch_export(remote, "/exports/lex", query, arguments.out)
    written = f"Wrote {manifest['conversations']} conversations with {manifest['turns']} turns"
    said = [f"{written} to {arguments.out}; every file is as the manifest says."]
    said += [f"Note: {warning}." for warning in manifest["warnings"]]
    summary = {key: value for key, value in manifest.items() if key != "files"}
    return {"out": str(arguments.out), **summary}, "\n".join(said)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all nouns and verbs."""
    parser = argparse.ArgumentParser(prog="fleet", description="Steer the fleet.")
    nouns = parser.add_subparsers(dest="noun", required=True, metavar="NOUN")
    jobs = nouns.add_parser("jobs", help="order conversations, see and end orders")
    _add_jobs(jobs.add_subparsers(dest="verb", required=True, metavar="VERB"))
    add_nodes(nouns, _add)
    for verb, handler in (("pause", pause_fleet), ("resume", resume_fleet)):
        verb_parser = _add(nouns, verb, handler, f"{verb} the whole fleet")
        verb_parser.add_argument("--reason", help="why, for the audit log")
    audit = nouns.add_parser("audit", help="see who changed what")
    verbs = audit.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = _add(verbs, "list", list_audit, "list attempts to change something, newest first")
    listing.add_argument("--limit", type=int, default=50, help="at most so many")
    add_nouns(nouns, _add)
    verify = _add(verbs, "verify", verify_audit, "check that no row was changed, added or removed")
    verify.add_argument("--head", help="of an earlier time, from the log of the control API")
    config = nouns.add_parser("config", help="see and change settings")
    add_config(config.add_subparsers(dest="verb", required=True, metavar="VERB"), _add)
    export = nouns.add_parser("export", help="write conversations into files")
    verbs = export.add_subparsers(dest="format", required=True, metavar="FORMAT")
    lex = _add(verbs, "lex", export_lex, "Contact Lens / Amazon Lex 1.1.0, zipped, redacted")
    lex.add_argument("--out", type=Path, required=True, metavar="FILE.zip")
    lex.add_argument("--job", help="only conversations of this job")
    lex.add_argument("--scenario", help="only conversations of this scenario")
    return parser


def _add_jobs(verbs: Any) -> None:
    listing = _add(verbs, "list", list_jobs, "list jobs, newest first")
    listing.add_argument("--state", help="only jobs in this state")
    listing.add_argument("--limit", type=int, default=50, help="at most so many")
    submit = _add(verbs, "submit", submit_job, "order conversations")
    submit.add_argument("--scenario", required=True, help="a scenario, or mixed")
    submit.add_argument("--count", type=int, required=True, help="how many conversations")
    submit.add_argument("--min-turns", type=int, help="fewest turns of a conversation")
    submit.add_argument("--max-turns", type=int, help="most turns of a conversation")
    submit.add_argument("--priority", type=int, help="0 to 10; higher goes first")
    show = _add(verbs, "show", show_job, "show one job")
    show.add_argument("job_id", metavar="ID")
    cancel = _add(verbs, "cancel", cancel_job, "end a job; its open tasks are cancelled")
    cancel.add_argument("job_id", metavar="ID")
    cancel.add_argument("--reason", help="why, for the audit log")


def _add(verbs: Any, name: str, handler: Handler, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=summary, description=summary)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    parser.set_defaults(handler=handler)
    return parser
