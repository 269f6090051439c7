"""Which parts a fleet has, and where each answers, by what was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fleet_stack.home import stack
from fleet_stack.home.homes import Home
from fleet_stack.home.stack import ABSENT, EXTERNAL, MANAGED, NAMES, Decision, Part
from fleet_stack.parts.endpoints import Endpoint
from fleet_stack.parts.models import Model, Sources, find_model
from fleet_stack.parts.program import Program
from fleet_stack.run.assembly import decide_parts

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
    """In the order of the data flow; the twin comes last."""
    parts = decide_parts(PORTS, {}, PROGRAMS, LOCAL)

    assert list(NAMES) == list(parts)
    assert Part(ABSENT, reason="cannot be reached") == parts["grafana"]
    assert Part(MANAGED, "postgresql://127.0.0.1:1/fleet") == parts["postgres"]
    assert Part(MANAGED, "http://127.0.0.1:9/api/v1") == parts["control-api"]
    assert Part(MANAGED, "") == parts["worker"]


def test_external_part_is_shown_without_its_login():
    """stack.json and `status` are readable by all."""
    url = "postgresql://me:secret@db.lan:5433/fleet"
    parts = decide_parts(PORTS, {"postgres": url}, PROGRAMS, LOCAL)

    assert Part(EXTERNAL, "postgresql://db.lan:5433/fleet") == parts["postgres"]


def test_model_server_of_the_user_is_external():
    """FLEET_LLM names a server that we neither start nor stop."""
    model = Model(None, "llama", "http://10.0.0.2:11434/v1", "of Ollama")
    parts = decide_parts(PORTS, {}, PROGRAMS, model)

    assert Part(EXTERNAL, "http://10.0.0.2:11434/v1", "of Ollama") == parts["llm"]


def test_no_login_of_a_model_server_is_shown(tmp_path):
    """stack.json is readable by all, and `status --json` prints it."""
    endpoint = Endpoint("FLEET_LLM", "http://me:pw7@10.0.0.2/v1", ("llama",))
    model = find_model({"FLEET_LLM": endpoint.url}, lambda _line: None, sources=only(endpoint))
    parts = decide_parts(PORTS, {}, PROGRAMS, model)
    stack.store(Home(tmp_path), Decision(parts, "alpha", "/run/fleet/x"))

    assert model.url == endpoint.url
    assert parts["llm"].url == "http://10.0.0.2/v1"
    assert "pw7" not in (tmp_path / "stack.json").read_text()


def test_part_of_no_port_has_no_address():
    """Agent and worker answer nowhere."""
    parts = decide_parts(PORTS, {}, PROGRAMS, replace(LOCAL, name="x"))

    assert "" == parts["node"].url == parts["worker"].url
