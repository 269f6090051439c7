"""`fleet nodes <verb>`: see the machines, tell them what to do, let them in, send them away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fleet_control_api.client.tables import render_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from fleet_control_api.client.remote import Remote

    Add = Callable[..., argparse.ArgumentParser]

NODE_COLUMNS = (
    "node", "state", "worker_state", "role", "mode", "throttle_factor", "tokens_per_second",
    "last_heartbeat_at",
)  # fmt: skip
VERBS = {
    "start": "let the worker run",
    "stop": "end the worker now; it stays stopped",
    "restart": "end the worker and start another",
    "drain": "let the worker finish what it writes, then stop it",
}
ENDS = {"done", "failed", "expired"}
POLL_SECONDS = 0.3
WAIT_SECONDS = 10.0


def list_nodes(remote: Remote, _: argparse.Namespace) -> tuple[Any, str]:
    """List nodes."""
    answer = remote.call("GET", "/nodes")
    return answer, render_table(answer["nodes"], NODE_COLUMNS)


def tell_node(remote: Remote, arguments: argparse.Namespace) -> tuple[Any, str]:
    """Tell a node what to do, and wait a little for its end."""
    body = {"reason": arguments.reason} if arguments.reason is not None else {}
    path = f"/nodes/{arguments.node}/{arguments.verb}"
    command = remote.call("POST", path, body=body)
    deadline = time.monotonic() + arguments.wait
    while command["state"] not in ENDS and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        command = remote.call("GET", f"/commands/{command['command_id']}")
    return command, describe(command)


def describe(command: dict[str, Any]) -> str:
    """Return how far a command has come, for people."""
    what = f"{command['verb']} of {command['node']}"
    if command["state"] in ENDS:
        return f"The {what} is {command['state']}: {command['result']}."
    begun = "has begun" if command["state"] == "acknowledged" else "waits for the node"
    return f"The {what} {begun}; its number is {command['command_id']}."


def invite_node(remote: Remote, arguments: argparse.Namespace) -> tuple[Any, str]:
    """Let one machine join."""
    answer = remote.call("POST", "/nodes/invite", body={"hours": arguments.hours})
    place = remote.url.removesuffix("/api/v1")
    return answer, (
        f"Run this on the machine, once, within {arguments.hours} h:\n"
        f"./fleet node join {place} {answer['code']}"
    )


def remove_node(remote: Remote, arguments: argparse.Namespace) -> tuple[Any, str]:
    """Send a node away."""
    body = {"reason": arguments.reason} if arguments.reason is not None else {}
    answer = remote.call("DELETE", f"/nodes/{arguments.node}", body=body)
    return answer, f"{answer['node']} is no node any more: its login and its target are gone."


def add_nodes(nouns: Any, add: Add) -> None:
    """Add the noun with its verbs to the command line."""
    nodes = nouns.add_parser("nodes", help="see and steer the machines")
    verbs = nodes.add_subparsers(dest="verb", required=True, metavar="VERB")
    add(verbs, "list", list_nodes, "list the enrolled nodes")
    for verb, summary in VERBS.items():
        parser = add(verbs, verb, tell_node, summary)
        parser.add_argument("node", metavar="NODE")
        parser.add_argument("--reason", help="why, for the audit log")
        parser.add_argument(
            "--wait", type=float, default=WAIT_SECONDS, metavar="S", help="seconds, for its end"
        )
    invite = add(verbs, "invite", invite_node, "let one machine join; the code is shown once")
    invite.add_argument("--hours", type=int, default=24, help="for how long the code is good")
    remove = add(verbs, "remove", remove_node, "send a node away: login, sessions, target")
    remove.add_argument("node", metavar="NODE")
    remove.add_argument("--reason", help="why, for the audit log")
