"""Machines: how they get their names and logins, and what they say of themselves."""

from __future__ import annotations

import uuid

import pytest
from fix_fleet import fleet_error

ENROLL = "SELECT fleet.enroll_node(%s, %s, '{generate}', '127.0.0.1:1', NULL)"


@pytest.fixture
def enroll(fleet):
    """Enrol a machine as the owner does; logins are the server's, so they go away again."""
    made = []

    def run(host, node_id=None):
        made.append(fleet.value(ENROLL, node_id or uuid.uuid4(), host))
        return made[-1]

    yield run
    for node in set(made):
        fleet.rows(f'DROP ROLE "fleet_node_{node}"')


def test_clash_of_names_gets_a_number(enroll):
    """The second machine of a host name is NAME-2, the third NAME-3, each with its login."""
    assert [enroll("Tower.home.arpa"), enroll("tower"), enroll("TOWER")] == [
        "tower",
        "tower-2",
        "tower-3",
    ]


def test_same_machine_keeps_its_name(fleet, enroll):
    """Who proves to be an enrolled node is renewed, also after it was removed."""
    node_id = uuid.uuid4()
    enroll("tower", node_id)
    fleet.rows("UPDATE fleet.nodes SET removed_at = now() WHERE node = 'tower'")

    assert enroll("renamed", node_id) == "tower"
    assert fleet.value("SELECT count(*) FROM analytics.nodes WHERE node = 'tower'") == 1


@pytest.mark.parametrize(
    ("host", "node"), [("_gpu_1", "gpu-1"), ("Ada's PC", "ada-s-pc"), ("x" * 80, "x" * 50)]
)
def test_odd_host_names_become_names(enroll, host, node):
    """What a label cannot have becomes a hyphen."""
    assert enroll(host) == node


def test_host_without_letters_is_refused(enroll):
    """A host name that gives no name at all is named in the error."""
    with fleet_error("host name '---' has no letter or digit", "Give the machine a host name"):
        enroll("---")


@pytest.mark.parametrize(
    ("age", "state"), [(None, "offline"), (5, "online"), (60, "stale"), (200, "offline")]
)
def test_state_follows_the_heartbeat(fleet, age, state):
    """online for 30 s, stale for 120 s, else offline."""
    fleet.rows("SELECT fleet.heartbeat('1.0', 'running', 7)", user="alpha")
    fleet.rows(
        "UPDATE fleet.nodes SET last_heartbeat_at = now() - make_interval(secs => %s)"
        " WHERE node = 'alpha'",
        age,
    )

    (row,) = fleet.rows("SELECT * FROM analytics.nodes WHERE node = 'alpha'")

    assert row["state"] == state
    assert (row["agent_version"], row["worker_state"], row["settings_version"]) == (
        "1.0",
        "running",
        7,
    )


def test_heartbeat_is_of_the_caller(fleet):
    """A node speaks for itself only."""
    fleet.rows("SELECT fleet.heartbeat('1.0', 'running', 0)", user="beta")

    rows = fleet.rows("SELECT node FROM fleet.nodes WHERE last_heartbeat_at IS NOT NULL")
    assert rows == [{"node": "beta"}]


def test_removed_node_is_gone_until_it_is_enrolled_again(fleet, enroll):
    """Its login is closed, the functions know it no more; removing it twice changes nothing."""
    node_id = uuid.uuid4()
    enroll("tower", node_id)
    removed = "SELECT removed_at FROM fleet.nodes WHERE node = 'tower'"
    may_log_in = "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'fleet_node_tower'"

    fleet.rows("SELECT fleet.remove_node('tower')")
    first = fleet.value(removed)
    fleet.rows("SELECT fleet.remove_node('tower')")

    assert first == fleet.value(removed)
    assert not fleet.value(may_log_in)
    assert enroll("tower", node_id) == "tower"
    assert fleet.value(removed) is None
    assert fleet.value(may_log_in)
