"""One call to a model server: what is asked for, and what is made of the answer."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fleet_orchestrator.model_server.endpoint import (
    Call,
    EndpointError,
    Request,
    connect,
    parse_retry_after,
)
from model_server import Answer
from stream_shapes import FAILURES, chunk, whole

MESSAGES = [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": "Hello, I"}]
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
ASKED = Request([{"role": "user", "content": "Greet Imani."}], SCHEMA, 7, 0.5, 9.0, 30)


@pytest.fixture
def endpoint(model_server):
    """The endpoint of the test's model server."""
    made = connect(model_server.url, "tiny")
    yield made
    made.client.close()


def ask(endpoint, request=ASKED, keep_going=lambda: True):
    """Make a call; what it said and what it cost."""
    call = Call("tiny")
    return "".join(endpoint.stream(request, call, keep_going)), call


def test_call_asks_for_what_the_request_says(endpoint, model_server):
    """Schema, seed, temperature and most tokens go over the wire; without a wish nothing does."""
    ask(endpoint)

    (body,) = model_server.requests
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (body["seed"], body["temperature"], body["max_tokens"]) == (7, 0.5, 30)
    assert not body.keys() & {"continue_final_message", "timings_per_token"}


def test_continuation_is_asked_for_as_vllm_wants_it(endpoint, model_server):
    """A begun answer is said to be one, and an answer without a schema has no format."""
    request = Request(MESSAGES, None, 7, 0.5, 9.0, continues=True)

    text, _ = ask(endpoint, request)

    (body,) = model_server.requests
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert (body["messages"], body["timings_per_token"]) == (MESSAGES, True)
    assert not body.keys() & {"response_format", "max_tokens"}
    assert text == ", how are you?"


def test_stream_of_any_shape_is_read(endpoint, model_server):
    """Pieces as parts, a null delta and unknown prompt tokens come through the real client."""
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    chunks = [chunk({"content": parts}), chunk(None, reason="stop", usage={"prompt_tokens": None})]
    body = "".join(f"data:{json.dumps(value)}\r\n\r\n" for value in chunks).encode()
    model_server.plan.append(Answer("raw", body=body))

    said, call = ask(endpoint)

    assert (said, call.outcome) == ("Hello", "ok")
    assert (call.prompt_tokens, call.completion_tokens) == (None, 1)
    assert 0 < call.time_to_first_token <= call.duration


def test_whole_answer_is_taken(endpoint, model_server):
    """A server that does not stream has answered all the same."""
    body = whole("Hello", {"prompt_tokens": 40, "completion_tokens": 9}, indent=2)
    model_server.plan.append(Answer("raw", body=body, content_type="application/json"))

    said, call = ask(endpoint)

    assert (said, call.prompt_tokens, call.completion_tokens) == ("Hello", 40, 9)


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (Answer("login_page"), "not_a_stream", "answered, but not as a model server does"),
        (Answer("raw"), "empty", "answered without a word"),
        (Answer("raw", body=FAILURES["error_event"][0]), "error_event", "reported an error"),
        (Answer("not_json"), "not_a_stream", "answered, but not as a model server does"),
        (Answer("broken"), "http_error", "answered 500"),
        (Answer("refused"), "refused_request", "answered 400"),
        (Answer("hang_up"), "broken_stream", "broke its answer off"),
    ],
    ids=lambda value: value.kind if isinstance(value, Answer) else "",
)
def test_fault_has_a_kind(endpoint, model_server, answer, kind, told):
    """The word for SQL, the sentence for people; the call is an error that took time."""
    model_server.plan.append(answer)
    call = Call("tiny")

    with pytest.raises(EndpointError, match=told) as caught:
        list(endpoint.stream(ASKED, call, lambda: True))

    assert caught.value.kind == kind
    assert (call.outcome, call.duration > 0) == ("error", True)


def test_call_that_is_left_knows_its_tokens(endpoint, model_server):
    """llama.cpp tells them with each piece of a continuation, those in its cache included."""
    timings = {"cache_n": 38, "prompt_n": 2, "predicted_n": 1}
    body = f"data: {json.dumps(chunk({'content': 'Hel'}, timings=timings))}\n\n" * 9
    model_server.plan.append(Answer("raw", body=body.encode()))
    call = Call("tiny")

    with closing(endpoint.stream(ASKED, call, lambda: True)) as pieces:
        next(pieces)
        next(pieces)

    assert (call.outcome, call.prompt_tokens, call.cached_prompt_tokens) == ("aborted", 40, 38)


def test_server_is_left_at_once(endpoint, model_server):
    """When nothing more is wanted the connection ends, also while the server is silent."""
    model_server.plan.append(Answer("listen"))

    with closing(endpoint.stream(ASKED, Call("tiny"), lambda: True)) as pieces:
        assert next(pieces) == "Hello"

    assert model_server.hung_up.wait(10)  # the client itself would wait two minutes


def test_connection_is_used_again(endpoint, model_server):
    """After a whole answer the next call finds the server all the same."""
    for _ in range(5):
        assert (
            ask(endpoint, Request(MESSAGES, None, 7, 0.5, 9.0, continues=True))[1].outcome == "ok"
        )


def test_stream_that_breaks_off_is_told_so(endpoint, model_server):
    """What came before the connection was lost has been handed out."""
    body = f"data: {json.dumps(chunk({'content': 'Hel'}))}\n\n".encode()
    model_server.plan.append(Answer("short", body=body))
    said = []

    with pytest.raises(EndpointError) as caught:
        said.extend(endpoint.stream(ASKED, Call("tiny"), lambda: True))

    assert (said, caught.value.kind) == (["Hel"], "broken_stream")


def test_silent_server_is_told_so(model_server):
    """No byte within the client's time is a fault of the server."""
    model_server.plan.append(Answer("silent"))
    endpoint = connect(model_server.url, "tiny")
    impatient = replace(endpoint, client=endpoint.client.with_options(timeout=0.05))

    with pytest.raises(EndpointError, match="did not answer in time") as caught:
        ask(impatient)

    assert caught.value.kind == "timeout"
    endpoint.client.close()


def test_server_that_quotes_the_prompt_tells_no_word_of_it(endpoint, model_server):
    """What the server said is kept for people, without what it was asked."""
    model_server.plan.append(Answer("refused"))

    with pytest.raises(EndpointError) as caught:
        ask(endpoint)

    assert "content" in caught.value.said
    assert "Imani" not in caught.value.said


def test_comments_alone_do_not_keep_us(endpoint, model_server):
    """A server that only sends signs of life is left when nobody wants its answer any more."""
    model_server.plan.append(Answer("comments"))
    looks = iter([True] * 20)

    said, call = ask(endpoint, keep_going=lambda: next(looks, False))

    assert (said, call.outcome) == ("", "aborted")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("Sat, 28 Nov 2026 00:01:00 GMT", 60),
        ("Sat, 28 Nov 2026 00:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(text, seconds):
    """Both forms of RFC 9110; what is neither says nothing."""
    now = datetime(2026, 11, 28, tzinfo=UTC).timestamp()

    assert parse_retry_after(text, now) == seconds


def test_server_that_stops_in_the_middle_is_not_waited_for(endpoint, model_server):
    """After the first piece a silence is a failure, long before the call's deadline."""
    model_server.always = Answer("listen")

    with pytest.raises(EndpointError) as caught:
        ask(replace(endpoint, stall_seconds=0.2))

    assert caught.value.kind == "timeout"
    assert model_server.hung_up.wait(10)
