"""`fleet events`, `alerts` and what nodes are told, against a running control API."""

from __future__ import annotations

import json

from fleet_control_api.client.events import parse_events, render_event
from fleet_control_api.client.nodes import describe

EVENT = {
    "event_id": "3f2a91c4-0000-4000-8000-000000000001",
    "time": "2026-11-28T12:00:00+00:00",
    "node": None,
    "severity": "info",
    "kind": "fleet_paused",
    "message": "ada: noise\x1b[2J",
}


def test_events_are_read_from_the_stream():
    """Comments, ids and kinds are passed over."""
    lines = [
        b": alive",
        b"",
        b"id: 7-x",
        b"event: fleet_paused",
        b"data: " + json.dumps(EVENT).encode(),
    ]

    assert list(parse_events(lines)) == [EVENT]


def test_event_is_one_line_without_control_characters():
    """Time, severity, node, kind, message."""
    assert render_event(EVENT).endswith("  info      -  fleet_paused: ada: noise\ufffd[2J")


def test_alerts_are_listed_with_their_runbooks(fleet):
    """None has fired; each that can fire has a runbook."""
    assert fleet("alerts", "list")[:2] == (
        0,
        "alert  time  alertname  node  severity  state  acknowledged by  ended  summary  comment\n",
    )
    code, out, _ = fleet("alerts", "runbook", "NodeDown")
    assert (code, "Mitigation" in out) == (0, True)
    assert fleet("alerts", "runbook", "Nothing")[0] == 1


def test_command_to_a_node_is_given_and_shown(fleet):
    """Without a node that obeys, it waits; its number shows how far it is."""
    code, out, _ = fleet("nodes", "stop", "alpha", "--wait", "0", "--json")
    command = json.loads(out)

    assert (code, command["state"]) == (0, "requested")
    assert "requested" in fleet("nodes", "command", command["command_id"])[1]
    assert describe(command) == (
        f"The stop of alpha waits for the node; its number is {command['command_id']}."
    )


def test_model_is_wanted_and_followed(fleet, owner):
    """Until the node has tried it, it waits; what the node said of it is the end."""
    code, out, _ = fleet("config", "model", "alpha", "tiny", "--wait", "0", "--json")
    probe = json.loads(out)
    assert (code, probe["state"], probe["author"]) == (0, "requested", "admin-token")

    owner.execute(
        "UPDATE fleet.model_probes SET state = 'refused', finished_at = now(), result = 'it has: m'"
    )

    assert fleet("config", "probe", "alpha")[:2] == (
        0,
        "alpha does not write with tiny: it has: m\n",
    )
    code, out, error = fleet("config", "model", "nobody", "tiny", "--wait", "0")
    assert (code, out) == (1, "")
    assert "no node nobody" in error
