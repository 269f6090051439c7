"""The emergency stop over HTTP and at the command line."""

from __future__ import annotations

import threading

import pytest
from fleet_control_api.client import stopping
from fleet_control_api.client.cli import make_parser
from fleet_control_api.service.errors import ClientError

PATH = "/fleet/emergency-stop"
STATE = "SELECT state FROM fleet.state"


def press(api, who="operator", **body):
    return api.call(who, "POST", PATH, json=body)


def obey(api, *nodes):
    """Have the agents of these nodes acknowledge and finish."""
    api.owner.execute(
        "UPDATE fleet.commands SET state = 'done', acknowledged_at = clock_timestamp(),"
        " finished_at = clock_timestamp(), result = 'the worker has ended' WHERE node = ANY (%s)",
        [list(nodes)],
    )


def test_typed_word_stops_the_fleet(api):
    """202, a command to each node, an audit row; GET shows who has acknowledged."""
    response = press(api, confirm="STOP", reason="smoke")
    obey(api, "beta")

    assert (response.status_code, response.json["state"]) == (202, "stopped")
    assert [node["state"] for node in response.json["nodes"]] == ["requested", "requested"]
    place = response.headers["Location"].removeprefix("/api/v1")
    shown = api.call("viewer", "GET", place).json
    assert [(n["node"], n["state"]) for n in shown["nodes"]] == [
        ("alpha", "requested"), ("beta", "done"),
    ]  # fmt: skip
    assert shown["nodes"][1]["acknowledged_seconds"] >= 0
    [row] = api.audit()
    assert (row["action"], row["outcome"], row["reason"]) == (
        "fleet.emergency-stop", "done", "smoke",
    )  # fmt: skip


@pytest.mark.parametrize("body", [{}, {"confirm": "stop"}, {"confirm": ""}, {"confirm": None}])
def test_without_the_word_nothing_happens(api, body):
    """The answer names the word; the attempt is in the audit log, and the fleet runs."""
    response = press(api, **body)

    assert response.status_code == 422
    assert "confirm" in response.json["detail"]
    assert "STOP" in str(response.json)
    assert api.owner.execute(STATE).fetchone()["state"] == "running"
    [row] = api.audit()
    assert (row["action"], row["outcome"]) == ("fleet.emergency-stop", "failed")


def test_button_is_the_same_command(api):
    """Grafana's button with the typed word does the same; without it, nothing."""
    path = "/buttons/fleet-emergency-stop"
    refused = api.call("grafana:editor", "POST", path, query_string={"confirm": "$confirm"})
    pressed = api.call("grafana:editor", "POST", path, query_string={"confirm": "STOP"})

    assert refused.status_code == 422
    assert (pressed.status_code, pressed.json["state"]) == (200, "stopped")


def test_stopped_fleet_is_resumed_and_not_paused(api):
    """Pause is a conflict that names the remedy; resume ends the stop."""
    press(api, confirm="STOP")

    paused = api.call("operator", "POST", "/fleet/pause")
    assert paused.status_code == 409
    assert "Resume it first" in str(paused.json)
    assert api.call("operator", "POST", "/nodes/alpha/start").status_code == 409
    assert api.call("operator", "POST", "/fleet/resume").json["state"] == "running"
    assert api.call("viewer", "GET", PATH).json["state"] == "running"


def test_fleet_that_was_never_stopped(lasting_api):
    """There is no time, and no node."""
    answer = lasting_api.call("viewer", "GET", PATH).json

    assert (answer["stopped_at"], answer["nodes"]) == (None, [])


def test_stop_goes_through_while_streams_are_held_and_clients_refused(api_server, owner):
    """With all streams taken and twenty more refused, the commands are there."""
    held = [api_server.call("GET", "/events", stream=True) for _ in range(8)]
    statuses = []

    def ask():
        with api_server.call("GET", "/events", stream=True) as response:
            statuses.append((response.status_code, response.headers.get("Retry-After")))

    crowd = [threading.Thread(target=ask) for _ in range(20)]
    for each in crowd:
        each.start()
    try:
        answer = api_server.call("POST", PATH, json={"confirm": "STOP"})
    finally:
        for each in crowd:
            each.join(20)
        for stream in held:
            stream.close()

    assert answer.status_code == 202
    rows = owner.execute("SELECT node FROM fleet.commands WHERE verb = 'emergency_stop'")
    assert len(rows.fetchall()) == 2
    assert [status for status, _ in statuses] == [503] * 20
    assert all(after for _, after in statuses)


class Answers:
    """A control API whose nodes come further with each look."""

    def __init__(self, *looks):
        self.looks, self.sent = list(looks), []

    def call(self, method, path, body=None):
        self.sent.append((method, path, body))
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return {"state": "stopped", "nodes": [make_node(*each) for each in look]}


def make_node(name, state, seconds=None, result=None):
    return {
        "node": name, "state": state, "acknowledged_seconds": seconds, "result": result,
    }  # fmt: skip


def run(remote, *words):
    arguments = make_parser().parse_args(["emergency-stop", *words])
    return arguments.handler(remote, arguments)


def test_command_tells_acknowledgements_as_they_come(capsys):
    """A line a node once it has news, then the end."""
    remote = Answers(
        [("alpha", "requested"), ("beta", "requested")],
        [("alpha", "acknowledged", 0.2), ("beta", "requested")],
        [("alpha", "done", 0.2), ("beta", "done", 0.9)],
    )

    _, said = run(remote, "--confirm", "STOP", "--reason", "smoke")

    assert remote.sent[0] == ("POST", PATH, {"confirm": "STOP", "reason": "smoke"})
    assert capsys.readouterr().out.splitlines() == [
        "alpha has acknowledged after 0.2 s and ends its worker",
        "alpha has acknowledged after 0.2 s and stopped",
        "beta has acknowledged after 0.9 s and stopped",
    ]
    assert said == "The fleet is stopped: 2 nodes. `./fleet resume` ends it."


def test_command_names_who_has_not_stopped():
    """It ends with an error: somebody has to look after that machine."""
    remote = Answers([("alpha", "done", 0.1), ("beta", "requested")])

    with pytest.raises(ClientError, match="not said so yet: beta"):
        run(remote, "--confirm", "STOP", "--wait", "0")


def test_command_without_the_word_and_without_a_person(monkeypatch):
    """A script must say that it means it."""
    monkeypatch.setattr(stopping.sys.stdin, "isatty", lambda: False, raising=False)

    with pytest.raises(ClientError, match="needs the word STOP"):
        run(Answers([]))
