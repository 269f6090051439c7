"""A home that is a node only: which parts it has, and what it refuses."""

from __future__ import annotations

import pytest
from fleet_stack.commands import env
from fleet_stack.commands.up import render_table
from fleet_stack.home import ABSENT, EXTERNAL, MANAGED, NAMES, Decision, HomeError, Part, Secrets
from fleet_stack.home.homes import NODE, Home, Record, store
from fleet_stack.joined.command import join
from fleet_stack.joined.node import decide_parts

URL = "http://127.0.0.1:20408"
PARTS = dict.fromkeys(NAMES, Part(MANAGED, "http://127.0.0.1:1"))


@pytest.fixture
def decision(tmp_path):
    return Decision(decide_parts(PARTS, URL), "tower-2", str(tmp_path))


def test_parts_of_a_node_run_here_and_the_others_do_not(decision):
    """The control API is external, where the fleet is."""
    assert decision.is_node_only
    assert decision.managed == ["llm", "exporter", "node", "worker"]
    assert decision.parts["control-api"] == Part(EXTERNAL, f"{URL}/api/v1")
    assert decision.parts["postgres"].state == ABSENT
    assert not Decision(PARTS, "tower", "").is_node_only


def test_model_server_of_the_user_stays_external():
    """A node may write with any server that its person runs."""
    parts = {**PARTS, "llm": Part(EXTERNAL, "http://x/v1")}

    assert decide_parts(parts, URL)["llm"].state == EXTERNAL


def test_node_prints_its_own_addresses(decision, tmp_path):
    """It has no login of the owner, and no token of an admin."""
    home = Home(tmp_path)

    values = env.collect(home, decision, Secrets(tmp_path / "secrets"))

    assert values == {
        "FLEET_HOME": str(tmp_path),
        "FLEET_CONTROL_URL": f"{URL}/api/v1",
        "FLEET_NODE": "tower-2",
    }
    assert "Node tower-2 of the fleet" in render_table(home, decision)


def test_home_of_a_fleet_does_not_join_another(tmp_path):
    """Its database and its people would be lost sight of."""
    home = Home(tmp_path)
    store(home, Record())

    with pytest.raises(HomeError, match="runs a fleet of its own"):
        join(home, {}, URL, "code")


def test_fleet_is_not_steered_from_a_node(tmp_path, monkeypatch, capsys):
    """Without a login there; the error names where it is."""
    monkeypatch.setenv("FLEET_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    store(Home(tmp_path), Record(mode=NODE, control_url=URL))

    assert env.call_client(["nodes", "list"]) == 1
    said = capsys.readouterr().err
    assert f"is a node only; steer its fleet from the home that runs {URL}, or log in" in said
