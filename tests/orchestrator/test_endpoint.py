"""One call to a model server: what is asked for, and what is made of the answer."""

from __future__ import annotations

import pytest
from fleet_orchestrator.generation.endpoint import Call, Request, connect

MESSAGES = [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": "Hello, I"}]
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}


@pytest.fixture
def endpoint(model_server):
    """The endpoint of the test's model server."""
    made = connect(model_server.url, "tiny")
    yield made
    made.client.close()


def test_call_asks_for_what_the_request_says(endpoint, model_server):
    """Schema, seed, temperature and most tokens go over the wire; without a wish nothing does."""
    list(
        endpoint.stream(Request(MESSAGES[:1], SCHEMA, 7, 0.5, 9.0, 30), Call("tiny"), lambda: True)
    )

    (body,) = model_server.requests
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (body["seed"], body["temperature"], body["max_tokens"]) == (7, 0.5, 30)
    assert not body.keys() & {"continue_final_message", "add_generation_prompt"}


def test_continuation_is_asked_for_as_vllm_wants_it(endpoint, model_server):
    """A begun answer is said to be one, and an answer without a schema has no format."""
    request = Request(MESSAGES, None, 7, 0.5, 9.0, continues=True)

    text = "".join(endpoint.stream(request, Call("tiny"), lambda: True))

    (body,) = model_server.requests
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert body["messages"] == MESSAGES
    assert not body.keys() & {"response_format", "max_tokens"}
    assert text == ", how are you?"
