"""Configuration, the state of the fleet, and who leads."""

from __future__ import annotations

import uuid

import pytest
from fix_fleet import fleet_error


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (("fleet", "colour", 1), ("unknown setting colour", "Known: conversation_restarts_max, ")),
        (("fleet", "temperature", 3), ("must be between 0 and 2, not 3", "Sampling temperature")),
        (("fleet", "temperature", "NaN"), ("not NaN", "Sampling temperature")),
        (("galaxy", "temperature", 1), ("unknown scope galaxy", "Use fleet, role:generate")),
        (("node:gamma", "temperature", 1), ("unknown scope node:gamma", "an enrolled node")),
    ],
)
def test_bad_value_names_itself_and_the_remedy(fleet, change, parts):
    """A refused change says what is wrong and what is possible; nothing changes."""
    scope, key, value = change

    with fleet_error(*parts):
        fleet.rows(
            "SELECT fleet.set_config(%s, %s, %s::float, 'ada', 'why')",
            scope, key, value, user="fleet_control",
        )  # fmt: skip

    assert fleet.value("SELECT count(*) FROM fleet.config") == 0


def test_narrowest_scope_wins(fleet):
    """node before role before fleet before default, for the node that it is about."""
    fleet.rows("UPDATE fleet.nodes SET roles = '{quality}' WHERE node = 'beta'")
    seen = []
    for scope, value in (("fleet", 0.1), ("role:generate", 0.2), ("node:alpha", 0.3)):
        fleet.set("temperature", value, scope)
        seen.append(
            [
                fleet.rows("SELECT * FROM fleet.node_settings()", user=node)[0]["settings"]
                for node in ("alpha", "beta")
            ]
        )

    assert [[s["temperature"] for s in pair] for pair in seen] == [
        [0.1, 0.1],
        [0.2, 0.1],
        [0.3, 0.1],
    ]
    assert fleet.value("SELECT fleet.setting('temperature')") == 0.1
    assert fleet.value("SELECT fleet.setting('lease_seconds')") == 30


def test_newer_of_two_roles_wins(fleet):
    """A worker of both roles runs the value that was set last."""
    fleet.set("temperature", 0.5, "role:quality")
    fleet.set("temperature", 0.6, "role:generate")

    assert fleet.value("SELECT fleet.setting('temperature', 'alpha')") == 0.6


def test_each_change_is_a_version(fleet):
    """The old value stays with its end; the new one has a higher version."""
    first, second = fleet.set("temperature", 0.5), fleet.set("temperature", 0.6)

    rows = fleet.rows(
        "SELECT version, value, valid_to IS NULL AS is_current FROM fleet.config ORDER BY version"
    )

    assert rows == [
        {"version": first, "value": 0.5, "is_current": False},
        {"version": second, "value": 0.6, "is_current": True},
    ]
    assert fleet.rows("SELECT * FROM fleet.node_settings()", user="alpha")[0]["version"] == second


def test_fleet_state_changes_once(fleet):
    """The second pause says that it changed nothing; another word is refused."""
    change = "SELECT fleet.set_fleet_state(%s, 'ada', 'why')"

    assert fleet.value(change, "paused", user="fleet_control") is True
    assert fleet.value(change, "paused", user="fleet_control") is False
    with fleet_error("unknown fleet state stopped", "Use running or paused"):
        fleet.rows(change, "stopped", user="fleet_control")


def test_one_master_leads_until_its_lease_ends(fleet):
    """The leader renews; a standby gets nothing until the lease is over, then a higher epoch."""
    first, second = uuid.uuid4(), uuid.uuid4()

    def lead(master):
        return fleet.value("SELECT fleet.lead(%s)", master, user="fleet_master")

    assert [lead(first), lead(second), lead(first)] == [1, None, 1]
    fleet.rows("UPDATE fleet.state SET leader_until = now() - interval '1 s'")
    assert [lead(second), lead(first)] == [2, None]
