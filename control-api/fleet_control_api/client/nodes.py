"""`fleet nodes <verb>`: see the machines, tell them what to do, let them in, send them away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fleet_control_api.client.calendar import add_calendar
from fleet_control_api.client.remote import quote
from fleet_control_api.client.tables import render_fields, render_table
from fleet_control_api.client.verbs import add, add_noun, pick_given
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    import argparse

    from fleet_control_api.client.remote import Remote
    from fleet_control_api.client.verbs import Answer

NODE_COLUMNS = (
    "node", "state", "worker_state", "role", "mode", "throttle_factor", "tokens_per_second",
    "last_heartbeat_at",
)  # fmt: skip
ENDPOINT_COLUMNS = ("node", "kind", "model", "state", "slots", "context_tokens", "checked_at")
VERBS = {
    "start": "let the worker run",
    "stop": "end the worker now; it stays stopped",
    "restart": "end the worker and start another",
    "drain": "let the worker finish what it writes, then stop it",
}
ENDS = {"done", "failed", "expired"}
POLL_SECONDS = 0.3
WAIT_SECONDS = 10.0


def list_nodes(remote: Remote, _: argparse.Namespace) -> Answer:
    """List nodes."""
    answer = remote.read_all("/nodes", "nodes")
    return answer, render_table(answer["nodes"], NODE_COLUMNS)


def list_endpoints(remote: Remote, _: argparse.Namespace) -> Answer:
    """List model servers."""
    answer = remote.read_all("/endpoints", "endpoints")
    return answer, render_table(answer["endpoints"], ENDPOINT_COLUMNS)


def tell_node(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Tell a node what to do, and wait a little for its end. Raises ClientError when it fails."""
    path = f"/nodes/{quote(arguments.node)}/{arguments.verb}"
    command = remote.call("POST", path, body=pick_given(arguments, "reason"))
    deadline = time.monotonic() + arguments.wait
    while command["state"] not in ENDS and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        command = remote.call("GET", f"/commands/{command['command_id']}")
    if command["state"] in ENDS - {"done"}:
        raise ClientError(describe(command), remedy="`./fleet events` tells what happens there.")
    return command, describe(command)


def show_command(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Show how far a command has come."""
    command = remote.call("GET", f"/commands/{quote(arguments.command_id)}")
    return command, render_fields(command)


def describe(command: dict[str, Any]) -> str:
    """Return how far a command has come, for people."""
    what = f"{command['verb']} of {command['node']}"
    if command["state"] in ENDS:
        return f"The {what} is {command['state']}: {command['result']}."
    begun = "has begun" if command["state"] == "acknowledged" else "waits for the node"
    return f"The {what} {begun}; its number is {command['command_id']}."


def invite_node(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Let one machine join."""
    answer = remote.call("POST", "/nodes/invite", body={"hours": arguments.hours})
    place = remote.url.removesuffix("/api/v1")
    return answer, (
        f"Run this on the machine, once, within {arguments.hours} h:\n"
        f"./fleet node join {place} {answer['code']}"
    )


def remove_node(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Send a node away."""
    body = pick_given(arguments, "reason")
    answer = remote.call("DELETE", f"/nodes/{quote(arguments.node)}", body=body)
    return answer, f"{answer['node']} is no node any more: its login and its target are gone."


def add_nodes(nouns: Any) -> None:
    """Add the noun with its verbs to the command line."""
    verbs = add_noun(nouns, "nodes", "see and steer the machines")
    add(verbs, "list", list_nodes, "list the enrolled nodes", route="GET /nodes")
    summary = "list the model server of each node"
    add(verbs, "endpoints", list_endpoints, summary, route="GET /endpoints")
    for verb, summary in VERBS.items():
        parser = add(verbs, verb, tell_node, summary, route=f"POST /nodes/{{node}}/{verb}")
        parser.add_argument("node", metavar="NODE")
        parser.add_argument("--reason", help="why, for the audit log")
        parser.add_argument(
            "--wait", type=float, default=WAIT_SECONDS, metavar="S", help="seconds, for its end"
        )
    summary = "show how far a command to a node has come"
    command = add(verbs, "command", show_command, summary, route="GET /commands/{command_id}")
    command.add_argument("command_id", metavar="ID")
    add_calendar(verbs)
    summary = "let one machine join; the code is shown once"
    invite = add(verbs, "invite", invite_node, summary, route="POST /nodes/invite")
    invite.add_argument("--hours", type=int, default=24, help="for how long the code is good")
    summary = "send a node away: login, sessions, target"
    remove = add(verbs, "remove", remove_node, summary, route="DELETE /nodes/{node}")
    remove.add_argument("node", metavar="NODE")
    remove.add_argument("--reason", help="why, for the audit log")
