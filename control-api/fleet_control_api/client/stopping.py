"""`fleet emergency-stop`: asks for the word, stops all, and tells who acknowledges as they do."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from fleet_control_api.client.tables import render_table
from fleet_control_api.client.values import clean
from fleet_control_api.client.verbs import add, pick_given
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    import argparse

    from fleet_control_api.client.remote import Remote
    from fleet_control_api.client.verbs import Answer

WORD = "STOP"
PATH = "/fleet/emergency-stop"
POLL_SECONDS = 0.3
WAIT_SECONDS = 10.0
COLUMNS = ("node", "state", "acknowledged_seconds", "finished_at", "result")
OPEN_STATES = {"requested", "acknowledged"}


def stop_all(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Stop all, and wait until all nodes have stopped. Raises ClientError where some have not."""
    body = {"confirm": arguments.confirm or ask_word(), **pick_given(arguments, "reason")}
    stop = remote.call("POST", PATH, body=body)
    told: dict[str, str] = {}
    deadline = time.monotonic() + arguments.wait
    while True:
        news = find_news(stop, told)
        if not arguments.json:
            sys.stdout.write("".join(f"{line}\n" for line in news))
            sys.stdout.flush()
        is_over = all(node["state"] not in OPEN_STATES for node in stop["nodes"])
        if is_over or time.monotonic() >= deadline:
            break
        time.sleep(POLL_SECONDS)
        stop = remote.call("GET", PATH)
    check_all_stopped(stop)
    return stop, f"The fleet is stopped: {len(stop['nodes'])} nodes. `./fleet resume` ends it."


def show_stop(remote: Remote, _: argparse.Namespace) -> Answer:
    """Show who has obeyed the last emergency stop."""
    stop = remote.call("GET", PATH)
    return stop, render_table(stop["nodes"], COLUMNS)


def ask_word() -> str:
    """Return the word that a person types. Raises ClientError where nobody can."""
    if not sys.stdin.isatty():
        raise ClientError(
            "an emergency stop needs the word STOP", remedy="Add --confirm STOP to the command."
        )
    sys.stderr.write("This ends all workers at once. Type STOP to go on: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def find_news(stop: dict[str, Any], told: dict[str, str]) -> list[str]:
    """Return a line for each node that has come into another state, and note it in `told`."""
    lines = []
    for node in stop["nodes"]:
        if told.get(node["node"], "requested") == node["state"]:
            continue
        told[node["node"]] = node["state"]
        seconds = node["acknowledged_seconds"]
        after = f" after {seconds:.1f} s" if seconds is not None else ""
        what = {
            "acknowledged": f"has acknowledged{after} and ends its worker",
            "done": f"has acknowledged{after} and stopped",
        }.get(node["state"], f"is {node['state']}: {node['result']}")
        lines.append(clean(f"{node['node']} {what}"))
    return lines


def check_all_stopped(stop: dict[str, Any]) -> None:
    """Raise ClientError that names the nodes that have not stopped."""
    missing = [node["node"] for node in stop["nodes"] if node["state"] != "done"]
    if missing:
        raise ClientError(
            f"the fleet is stopped, but these nodes have not said so yet: {', '.join(missing)}",
            remedy="They get no work, and stop once they hear of it: see `./fleet nodes list`.",
        )


def add_stop(nouns: Any) -> None:
    """Add the verbs to the command line."""
    summary = "show which nodes have obeyed the last emergency stop"
    add(nouns, "emergency-stop-status", show_stop, summary, route=f"GET {PATH}")
    summary = "end all workers at once; nothing is written until resume"
    stop = add(nouns, "emergency-stop", stop_all, summary, route=f"POST {PATH}")
    stop.add_argument("--confirm", metavar=WORD, help="the word, where nobody can be asked for it")
    stop.add_argument("--reason", help="why, for the audit log")
    stop.add_argument(
        "--wait", type=float, default=WAIT_SECONDS, metavar="S", help="seconds, for the nodes"
    )
