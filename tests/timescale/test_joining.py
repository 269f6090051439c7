"""How machines come in by themselves, and what is left of one that was sent away."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from fix_fleet import fleet_error, wait_until

INVITE = "SELECT fleet.invite_node(%s, 'ada', '1 hour')"
JOIN = "SELECT * FROM fleet.join_node(%s, %s, 'tower', '10.0.0.9:20006', NULL)"
CONTROL = "fleet_control"


@pytest.fixture
def invite(fleet):
    def make():
        code = uuid.uuid4().bytes
        fleet.value(INVITE, code, user=CONTROL)
        return code

    return make


@pytest.fixture
def join(fleet):
    """Join as a machine does; logins belong to the server, so they go away again."""
    logins = set()

    def enter(code, node_id=None):
        rows = fleet.rows(JOIN, code, node_id or uuid.uuid4(), user=CONTROL)
        logins.update(row["login"] for row in rows)
        return rows

    yield enter
    for login in logins:
        fleet.rows(f'DROP ROLE "{login}"')


def enter_as(fleet, login):
    """A connection with the login of a machine that joined."""
    database = fleet.database
    return psycopg.connect(host="127.0.0.1", port=database.port, dbname=database.name, user=login)


def test_code_is_good_once(fleet, invite, join):
    """The first machine gets name and login, the second with the same code gets nothing."""
    code = invite()

    (row,) = join(code)

    assert row == {"node": "tower", "login": "fleet_node_tower", "invited_by": "ada"}
    assert join(code) == []
    with enter_as(fleet, "fleet_node_tower") as node:
        assert node.execute("SELECT fleet.current_node()").fetchone() == ("tower",)
    told = "SELECT message FROM analytics.events WHERE kind = 'node_joined'"
    assert fleet.value(told) == "tower joined the fleet, invited by ada."


def test_unknown_and_late_codes_are_worth_nothing(fleet, invite, join):
    """No machine comes in, and no name is taken."""
    code = invite()
    fleet.rows("UPDATE fleet.node_invitations SET expires_at = now() - interval '1 s'")

    assert join(code) == []
    assert join(b"guessed") == []
    assert fleet.rows("SELECT FROM fleet.nodes WHERE node = 'tower'") == []


def test_copy_cannot_take_the_place_of_a_living_node(fleet, invite, join):
    """The id of a node that is alive is refused, and the code stays good for another home."""
    code = invite()
    alpha = fleet.value("SELECT node_id FROM fleet.nodes WHERE node = 'alpha'")
    fleet.beat("alpha")

    with fleet_error("is that of node alpha, which is alive", "new home", sqlstate="55000"):
        join(code, alpha)

    assert [row["node"] for row in join(code)] == ["tower"]


def test_removed_node_may_do_nothing(fleet, invite, join):
    """No target, no command, no login; a session that is open has no rights and is ended."""
    (row,) = join(invite())
    node = enter_as(fleet, row["login"])
    node.autocommit = True
    command = fleet.value(
        "SELECT fleet.request_command('tower', 'stop', 'ada', '', 60)", user=CONTROL
    )

    fleet.value("SELECT fleet.remove_node('tower', 'ada', 'sold')", user=CONTROL)

    for statement in ("SELECT fleet.current_node()", "INSERT INTO telemetry.gpu DEFAULT VALUES"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            node.execute(statement)
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        enter_as(fleet, row["login"])
    assert fleet.value("SELECT fleet.end_sessions('tower')", user=CONTROL) == 1
    wait_until(lambda: is_lost(node), "the session is ended")
    assert fleet.rows("SELECT node FROM analytics.nodes WHERE node = 'tower'") == []
    (ended,) = fleet.rows("SELECT * FROM analytics.commands WHERE command_id = %s", command)
    assert (ended["state"], ended["result"]) == ("failed", "the node was removed")


def is_lost(connection):
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def test_removed_node_may_join_again(fleet, invite, join):
    """The same machine gets its name back, with its rights."""
    machine = uuid.uuid4()
    (row,) = join(invite(), machine)
    fleet.value("SELECT fleet.remove_node('tower', 'ada', '')", user=CONTROL)
    with fleet_error("no node tower", sqlstate="P0002"):
        fleet.value("SELECT fleet.remove_node('tower', 'ada', '')", user=CONTROL)

    assert join(invite(), machine) == [row]

    with enter_as(fleet, row["login"]) as node:
        node.execute("SELECT * FROM fleet.node_settings()")


def test_sessions_of_enrolled_nodes_are_not_ended(fleet):
    """Only those of a node that was removed."""
    connection = fleet.connection("alpha")

    assert fleet.value("SELECT fleet.end_sessions('alpha')", user=CONTROL) == 0
    connection.execute("SELECT 1")


PUT_TOKENS = "SELECT fleet.put_scrape_token(%s, %s)"


def test_scrape_tokens_overlap(fleet):
    """The current one, the next and the one before are good; putting the same changes nothing."""
    hashes = lambda: fleet.value("SELECT fleet.scrape_hashes()", user="alpha")  # noqa: E731
    assert hashes() == []

    fleet.value(PUT_TOKENS, b"\x01", b"\x02", user=CONTROL)
    assert hashes() == ["01", "02"]
    for _ in range(2):
        fleet.value(PUT_TOKENS, b"\x02", b"\x03", user=CONTROL)

    assert hashes() == ["02", "03", "01"]


def test_scrape_token_is_due_when_a_node_that_knows_it_has_left(fleet):
    """Not before the next one has reached all exporters, and once."""
    is_due = lambda: fleet.value("SELECT fleet.is_scrape_token_due()", user=CONTROL)  # noqa: E731
    fleet.value(PUT_TOKENS, b"\x01", b"\x02", user=CONTROL)
    fleet.rows("UPDATE fleet.nodes SET removed_at = now() WHERE node = 'beta'")
    assert not is_due()

    fleet.rows("UPDATE fleet.scrape_token SET changed_at = now() - interval '31 seconds'")
    assert is_due()

    fleet.value(PUT_TOKENS, b"\x02", b"\x03", user=CONTROL)
    assert not is_due()
