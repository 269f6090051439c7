"""What a fleet consists of, where each part answers, and what `stack.json` keeps."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fleet_stack.home import stack
from fleet_stack.home.errors import HomeError
from fleet_stack.home.homes import Home
from fleet_stack.home.stack import ABSENT, MANAGED, NAMES, Decision, Part

PORTS = {
    "postgres": 1, "prometheus": 2, "alertmanager": 3, "grafana": 4, "llm": 5, "mail": 6,
    "exporter": 7, "master": 8, "control-api": 9,
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ("", "grafana", "http://127.0.0.1:4"),
        ("https://fleet.lan/", "control-api", "https://fleet.lan"),
        ("https://fleet.lan:8443", "grafana", "https://fleet.lan:4"),
        ("https://fleet.lan/fleet/", "control-api", "https://fleet.lan/fleet"),
        ("https://fleet.lan/fleet", "grafana", "https://fleet.lan:4"),
        ("http://[fd00::1]:80", "grafana", "http://[fd00::1]:4"),
    ],
)
def test_public_address(given, name, expected):
    """FLEET_PUBLIC_URL is the control API's own; other parts keep their port on its host."""
    assert expected == stack.decide_public_url(given, 4, name)


def test_decision_is_kept(tmp_path):
    """What `up` decided is what `status` reads."""
    parts = {**dict.fromkeys(NAMES, Part(MANAGED, "http://x")), "grafana": Part(ABSENT)}
    decision = Decision(parts, "alpha", "/run/fleet/x", "abc", "note", "http://127.0.0.1:4")
    stack.store(Home(tmp_path), decision)

    assert decision == stack.load(Home(tmp_path))
    assert "grafana" not in decision.managed
    assert "worker" in decision.managed


def test_decision_of_a_version_without_twins_is_read(tmp_path):
    """A home made before has none, and nobody is told of one."""
    decision = Decision(dict.fromkeys(NAMES, Part(ABSENT)), "alpha", "/run/fleet/x")
    stack.store(Home(tmp_path), decision)
    path = tmp_path / "stack.json"
    content = json.loads(path.read_text())
    del content["parts"]["twin"], content["twin_nodes"]
    path.write_text(json.dumps(content))

    assert stack.load(Home(tmp_path)) == decision
    assert "twin" not in decision.shown
    assert "twin" in replace(decision, twin_nodes=3).shown


def test_interrupted_start_knows_its_database(tmp_path):
    """`down` after Ctrl-C in the first seconds finds what runs."""
    decision = stack.decide_first(PORTS, "/run/fleet/x")

    assert decision.managed == ["postgres"]
    assert decision.runtime == "/run/fleet/x"


def test_damaged_decision_is_named(tmp_path):
    """A cut-off file is no traceback."""
    (tmp_path / "stack.json").write_text('{"parts": {')

    with pytest.raises(HomeError, match=r"stack.json is damaged"):
        stack.load(Home(tmp_path))


def test_new_settings_are_noticed():
    """A changed model makes `up` decide anew; a variable of somebody else does not."""
    before = stack.digest_inputs({"FLEET_MODEL": "/a.gguf"}, "checkout")

    assert before == stack.digest_inputs({"FLEET_MODEL": "/a.gguf", "EDITOR": "vi"}, "checkout")
    assert before != stack.digest_inputs({"FLEET_MODEL": "/b.gguf"}, "checkout")
    assert before != stack.digest_inputs({"FLEET_MODEL": "/a.gguf"}, "a newer checkout")
