"""Model servers that are running already."""

from __future__ import annotations

import json

import pytest
import requests
from fix_http import QuietHandler, listen, serving
from fleet_stack.parts.endpoints import (
    Endpoint,
    EndpointError,
    find_local,
    parse_models,
    reach,
    render_offer,
)

OLLAMA = Endpoint("Ollama", "http://127.0.0.1:11434/v1", ("llama3:8b", "other"))


@pytest.fixture
def model_server():
    """A server that answers every path like /v1/models."""

    class Handler(QuietHandler):
        def do_GET(self):
            body = json.dumps({"object": "list", "data": [{"id": "phi"}, {"id": "qwen"}]}).encode()
            self.reply(200 if self.path == "/v1/models" else 404, body)

    with serving(listen(Handler)) as url:
        yield url


def test_named_server_is_asked_for_its_models(model_server):
    """The models are those that the server lists, in its order."""
    assert reach(model_server).models == ("phi", "qwen")


def test_named_server_that_does_not_answer_is_an_error():
    """A wrong address is not passed over in silence."""
    with pytest.raises(
        EndpointError, match=r"FLEET_LLM is http://127\.0\.0\.1:1, but .* does not answer"
    ):
        reach("http://127.0.0.1:1")


def test_named_server_without_a_model_is_an_error():
    """A server in which nobody loaded a model cannot write."""
    with pytest.raises(EndpointError, match="lists no model"):
        reach("http://host", lambda url, seconds: {"data": []})


def test_servers_of_this_machine_are_found_in_order():
    """LM Studio comes before Ollama, and what is no model server is left out."""

    def ask(url, seconds):
        if ":8000" in url:
            return {"hello": "world"}
        if ":8080" in url:
            raise requests.ConnectionError
        return {"data": [{"id": "m"}]}

    assert [endpoint.label for endpoint in find_local(ask)] == ["LM Studio", "Ollama"]


def test_servers_that_run_here_are_offered_with_the_command():
    """Not taken: they may be busy with something else."""
    said = render_offer([OLLAMA, Endpoint("vLLM", "http://127.0.0.1:8000/v1", ("m",))])

    assert "Ollama (http://127.0.0.1:11434/v1), vLLM (http://127.0.0.1:8000/v1)" in said
    assert "`FLEET_LLM=http://127.0.0.1:11434/v1 ./fleet up`" in said
    assert render_offer([]) == ""


@pytest.mark.parametrize("answer", [None, [], "text", {"data": "text"}, {"models": []}])
def test_other_servers_are_told_apart(answer):
    """Another program on a usual port is no model server."""
    assert parse_models(answer) is None
