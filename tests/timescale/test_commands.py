"""Commands to nodes: which ways there are from request to end, and what is told on them."""

from __future__ import annotations

import uuid

import pytest
from fix_fleet import fleet_error

REQUEST = "SELECT fleet.request_command(%s, %s, 'ada', 'noise', %s)"
KINDS = "SELECT kind FROM analytics.events WHERE kind ~ '^command' ORDER BY time"


@pytest.fixture
def request_command(fleet):
    """Ask alpha for something; the id of the command."""

    def ask(verb="stop", node="alpha", seconds=60):
        return fleet.value(REQUEST, node, verb, seconds, user="fleet_control")

    return ask


@pytest.fixture
def acknowledge(fleet):
    return lambda command, node="alpha": fleet.value(
        "SELECT fleet.acknowledge_command(%s)", command, user=node
    )


@pytest.fixture
def finish(fleet):
    def end(command, state="done", node="alpha"):
        return fleet.value(
            "SELECT fleet.finish_command(%s, %s, 'so it is')", command, state, user=node
        )

    return end


def let_pass(fleet, command):
    """Move the deadline of a command into the past."""
    fleet.rows(
        "UPDATE fleet.commands SET deadline_at = now() - interval '1 s' WHERE command_id = %s",
        command,
    )


def state_of(fleet, command):
    return fleet.value("SELECT state FROM analytics.commands WHERE command_id = %s", command)


@pytest.mark.parametrize("end", ["done", "failed"])
def test_command_goes_from_request_to_end(fleet, request_command, acknowledge, finish, end):
    """Requested, acknowledged, ended: each state is one event, told again it changes nothing."""
    command = request_command()
    assert [row["command_id"] for row in fleet.rows("SELECT * FROM fleet.open_commands()",
                                                    user="alpha")] == [command]  # fmt: skip
    assert [acknowledge(command), acknowledge(command)] == [True, True]
    assert [finish(command, end), finish(command, end)] == [True, False]

    (row,) = fleet.rows("SELECT * FROM analytics.commands")
    assert (row["state"], row["result"], row["requested_by"]) == (end, "so it is", "ada")
    assert row["time"] <= row["acknowledged_at"] <= row["finished_at"]
    assert fleet.rows("SELECT * FROM fleet.open_commands()", user="alpha") == []
    assert [row["kind"] for row in fleet.rows(KINDS)] == [
        "command_requested", "command_acknowledged", f"command_{end}",
    ]  # fmt: skip


def test_command_that_was_not_acknowledged_cannot_end(request_command, finish):
    """Nobody has obeyed what nobody has begun with."""
    command = request_command()

    with fleet_error("was not acknowledged", sqlstate="55000"):
        finish(command)


def test_ended_command_is_not_begun_again(request_command, acknowledge, finish):
    """An agent that finds an old command is told not to obey."""
    command = request_command()
    acknowledge(command)
    finish(command)

    assert acknowledge(command) is False


@pytest.mark.parametrize("was_acknowledged", [False, True])
def test_late_command_expires_when_its_node_wakes(
    fleet, request_command, acknowledge, was_acknowledged
):
    """A machine that slept past the deadline does nothing: not begun before, it never will."""
    command = request_command()
    if was_acknowledged:
        acknowledge(command)
    let_pass(fleet, command)

    assert acknowledge(command) is False
    assert state_of(fleet, command) == "expired"
    assert fleet.rows(KINDS)[-1] == {"kind": "command_expired"}


def test_master_expires_what_no_node_begins(fleet, request_command, acknowledge):
    """Also while the node is away; a command that a living node has begun with goes on."""
    late, begun, early = request_command(), request_command(), request_command()
    acknowledge(begun)
    fleet.beat("alpha")
    let_pass(fleet, late)
    let_pass(fleet, begun)

    assert fleet.value("SELECT fleet.expire_commands()") == 1

    states = [state_of(fleet, command) for command in (late, begun, early)]
    assert states == ["expired", "acknowledged", "requested"]


def test_master_expires_what_a_lost_node_had_begun(fleet, request_command, acknowledge, finish):
    """A node that began and is offline has lost its turn; when it comes back it tells nothing."""
    command = request_command("drain")
    acknowledge(command)
    let_pass(fleet, command)
    fleet.rows("UPDATE fleet.commands SET acknowledged_at = now() - interval '3 minutes'")

    assert fleet.value("SELECT fleet.expire_commands()") == 1
    assert finish(command) is False
    assert state_of(fleet, command) == "expired"


@pytest.mark.parametrize(
    ("arguments", "parts", "sqlstate"),
    [
        ({"verb": "explode"}, ("unknown command 'explode'", "Use start"), "23514"),
        ({"node": "gamma"}, ("no node gamma", "GET /nodes"), "P0002"),
        ({"seconds": 0}, ("between 1 and 86400 seconds from now, not 0",), "23514"),
        ({"seconds": 1e9}, ("not 1000000000",), "23514"),
        ({"seconds": float("nan")}, ("not NaN",), "23514"),
    ],
)
def test_unusable_command_is_named(fleet, request_command, arguments, parts, sqlstate):
    """Value and remedy are in the error, and nothing is requested."""
    with fleet_error(*parts, sqlstate=sqlstate):
        request_command(**arguments)

    assert fleet.rows("SELECT * FROM fleet.commands") == []


def test_removed_node_takes_no_command(fleet, request_command):
    """A machine that was sent away cannot be told anything."""
    fleet.rows("UPDATE fleet.nodes SET removed_at = now() WHERE node = 'alpha'")

    with fleet_error("no node alpha"):
        request_command()


def test_command_is_for_its_node(fleet, request_command, acknowledge, finish):
    """Another machine neither sees nor begins nor ends it."""
    command = request_command()

    assert fleet.rows("SELECT * FROM fleet.open_commands()", user="beta") == []
    for act in (acknowledge, finish):
        with fleet_error("node beta has no command", sqlstate="P0002"):
            act(command, node="beta")
    with fleet_error("node alpha has no command", sqlstate="P0002"):
        acknowledge(uuid.uuid4())


def test_request_wakes_the_agent(fleet, request_command):
    """The name of the node is notified, so that the others sleep on."""
    listener = fleet.connection("alpha")
    listener.execute("LISTEN fleet_commands")

    request_command()

    (note,) = listener.notifies(timeout=20, stop_after=1)
    assert (note.channel, note.payload) == ("fleet_commands", "alpha")
    listener.execute("UNLISTEN *")
