"""
`fleet <noun> <verb>`: the control API from the command line.

`./fleet` passes address and token of the home. Answers go to standard output, as tables or with
--json as the API gave them; errors to standard error, what went wrong and what to do. Exit code 0
is done, 1 failed or refused, 2 a wrong command line.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_control_api.client.access import add_access
from fleet_control_api.client.alerts import add_alerts
from fleet_control_api.client.audit import add_audit
from fleet_control_api.client.download import fetch_export
from fleet_control_api.client.events import add_events
from fleet_control_api.client.ids import complete_ids
from fleet_control_api.client.jobs import add_jobs
from fleet_control_api.client.login import add_login
from fleet_control_api.client.nodes import add_nodes
from fleet_control_api.client.screen import render_error, show
from fleet_control_api.client.settings import add_config
from fleet_control_api.client.stopping import add_stop
from fleet_control_api.client.verbs import add, pick_given
from fleet_control_api.client.watch import add_watch
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_control_api.client.place import Place
    from fleet_control_api.client.remote import Remote
    from fleet_control_api.client.verbs import Answer

Arguments = argparse.Namespace


def main(argv: Sequence[str], place: Place) -> int:
    """Carry out one command; argv begins with the noun. Return 0, or 1 after an error was said."""
    arguments = make_parser().parse_args(argv)
    try:
        if arguments.is_of_place:
            told = arguments.handler(place, arguments)
        else:
            remote = place.connect()
            complete_ids(remote, arguments)
            told = arguments.handler(remote, arguments)
    except ClientError as exc:
        sys.stderr.write(render_error(exc))
        return 1
    if told is None:
        return 0
    answer, shown = told
    if arguments.json:
        sys.stdout.write(f"{json.dumps(answer, indent=2)}\n")
    else:
        show(shown, sys.stdout)
    return 0


def pause_fleet(remote: Remote, arguments: Arguments) -> Answer:
    """Pause."""
    return _set_state(remote, arguments, "pause", "paused: no node takes new work until resume")


def resume_fleet(remote: Remote, arguments: Arguments) -> Answer:
    """Resume."""
    return _set_state(remote, arguments, "resume", "running: nodes take work")


def _set_state(remote: Remote, arguments: Arguments, verb: str, said: str) -> Answer:
    answer = remote.call("POST", f"/fleet/{verb}", body=pick_given(arguments, "reason"))
    already = "" if answer["changed"] else " (it was already)"
    return answer, f"The fleet is {said}{already}."


def export_lex(remote: Remote, arguments: Arguments) -> Answer:
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
    parser.set_defaults(is_of_place=False)
    add_jobs(nouns)
    add_nodes(nouns)
    for verb, handler in (("pause", pause_fleet), ("resume", resume_fleet)):
        summary = f"{verb} the whole fleet"
        verb_parser = add(nouns, verb, handler, summary, route=f"POST /fleet/{verb}")
        verb_parser.add_argument("--reason", help="why, for the audit log")
    add_stop(nouns)
    add_config(nouns)
    add_access(nouns)
    add_login(nouns)
    add_audit(nouns)
    add_alerts(nouns)
    add_events(nouns)
    add_watch(nouns)
    export = nouns.add_parser("export", help="write conversations into files")
    verbs = export.add_subparsers(dest="format", required=True, metavar="FORMAT")
    summary = "Contact Lens / Amazon Lex 1.1.0, zipped, redacted"
    lex = add(verbs, "lex", export_lex, summary, route="GET /exports/lex")
    lex.add_argument("--out", type=Path, required=True, metavar="FILE.zip")
    lex.add_argument("--job", help="only conversations of this job")
    lex.add_argument("--scenario", help="only conversations of this scenario")
    return parser
