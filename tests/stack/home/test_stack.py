"""What a fleet consists of, where each part answers, and what `stack.json` keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fleet_stack.home import stack
from fleet_stack.home.errors import HomeError
from fleet_stack.home.homes import Home
from fleet_stack.home.stack import ABSENT, EXTERNAL, MANAGED, NAMES, Decision, Part
from fleet_stack.parts.endpoints import Endpoint
from fleet_stack.parts.model import Model, Sources, find_model
from fleet_stack.parts.program import Program, render_program

PORTS = {
    "postgres": 1, "prometheus": 2, "alertmanager": 3, "grafana": 4, "llm": 5, "mail": 6,
    "exporter": 7, "master": 8, "control-api": 9,
}  # fmt: skip
PROGRAMS = {
    "prometheus": Program("prometheus", Path("/x/prometheus")),
    "alertmanager": Program("alertmanager", Path("/x/alertmanager")),
    "grafana": Program("grafana", reason="cannot be reached"),
}
LOCAL = Model(Path("/m.gguf"), "tiny", None, "from your file")


def only(endpoint):
    """The one way to a model that is asked when FLEET_LLM names a server."""
    return Sources(None, lambda _url: endpoint, None, None, None, None, None, None)


def test_every_name_has_a_part():
    """Status shows all eleven, in the order of the data flow."""
    parts = stack.decide_parts(PORTS, {}, PROGRAMS, LOCAL)

    assert list(NAMES) == list(parts)
    assert Part(ABSENT, reason="cannot be reached") == parts["grafana"]
    assert Part(MANAGED, "postgresql://127.0.0.1:1/fleet") == parts["postgres"]
    assert Part(MANAGED, "http://127.0.0.1:9/api/v1") == parts["control-api"]
    assert Part(MANAGED, "") == parts["worker"]


def test_external_part_is_shown_without_its_login():
    """stack.json and `status` are readable by all."""
    url = "postgresql://me:secret@db.lan:5433/fleet"
    parts = stack.decide_parts(PORTS, {"postgres": url}, PROGRAMS, LOCAL)

    assert Part(EXTERNAL, "postgresql://db.lan:5433/fleet") == parts["postgres"]


def test_model_server_of_the_user_is_external():
    """FLEET_LLM names a server that we neither start nor stop."""
    model = Model(None, "llama", "http://10.0.0.2:11434/v1", "of Ollama")
    parts = stack.decide_parts(PORTS, {}, PROGRAMS, model)

    assert Part(EXTERNAL, "http://10.0.0.2:11434/v1", "of Ollama") == parts["llm"]


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


def test_no_login_of_a_model_server_is_shown(tmp_path):
    """stack.json is readable by all, and `status --json` prints it."""
    endpoint = Endpoint("FLEET_LLM", "http://me:pw7@10.0.0.2/v1", ("llama",))
    model = find_model({"FLEET_LLM": endpoint.url}, lambda _line: None, sources=only(endpoint))
    parts = stack.decide_parts(PORTS, {}, PROGRAMS, model)
    stack.store(Home(tmp_path), Decision(parts, "alpha", "/run/fleet/x"))

    assert model.url == endpoint.url
    assert parts["llm"].url == "http://10.0.0.2/v1"
    assert "pw7" not in (tmp_path / "stack.json").read_text()


def test_login_of_an_external_program_is_not_reported():
    """The line goes to the terminal, and from there into logs."""
    program = Program("prometheus", origin="external", url="http://me:pw7@prometheus.lan:9090")

    assert "prometheus.lan:9090" in render_program(program)
    assert "pw7" not in render_program(program)


def test_decision_is_kept(tmp_path):
    """What `up` decided is what `status` reads."""
    parts = stack.decide_parts(PORTS, {}, PROGRAMS, LOCAL)
    decision = Decision(parts, "alpha", "/run/fleet/x", "abc", "note", "http://127.0.0.1:4")
    stack.store(Home(tmp_path), decision)

    assert decision == stack.load(Home(tmp_path))
    assert "grafana" not in decision.managed
    assert "worker" in decision.managed


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


def test_part_of_no_port_has_no_address():
    """Agent and worker answer nowhere."""
    parts = stack.decide_parts(PORTS, {}, PROGRAMS, replace(LOCAL, name="x"))

    assert "" == parts["node"].url == parts["worker"].url
