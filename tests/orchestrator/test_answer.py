"""The body of an answer, in all the shapes in which servers send it."""

from __future__ import annotations

import json
import random

import pytest
from fleet_orchestrator.model_server.answer import Answer, End, Piece, Usage
from fleet_orchestrator.model_server.endpoint_error import MEANINGS, EndpointError
from stream_shapes import FAILURES, THOUGHT, chunk, render, whole

TEXT = '{"turns": [{"speaker": "agent", "text": "Caf\u00e9? \u20ac5 \U0001f600 <b>{}[1]"}]}'
USAGE = {"prompt_tokens": 40, "completion_tokens": 9}


def sse(*chunks, end="\n"):
    return "".join(f"data: {json.dumps(value)}{end}{end}" for value in chunks).encode()


def read(*parts, may_be_empty=False):
    """Everything that is read out of a body that comes in these parts."""
    answer, events = Answer(), []
    for part in parts:
        events += answer.feed(part)
    return events + list(answer.close(may_be_empty=may_be_empty))


def text_of(events):
    return "".join(event.text for event in events if isinstance(event, Piece))


def fault_of(*parts):
    with pytest.raises(EndpointError) as caught:
        read(*parts)
    return caught.value


def collect(body, cuts):
    """Read a body cut at these places: text, prompt tokens, completion tokens, kind of error."""
    answer, said, prompt, tokens = Answer(), "", None, 0
    try:
        for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
            for event in answer.feed(body[start:end]):
                said += event.text if isinstance(event, Piece) else ""
                tokens += event.tokens if isinstance(event, Piece) else 0
                if isinstance(event, Usage):
                    prompt = event.prompt_tokens or prompt
                    tokens = event.completion_tokens or tokens
        said += text_of(answer.close())
    except EndpointError as exc:
        return said, prompt, tokens, exc.kind
    return said, prompt, tokens, None


@pytest.mark.parametrize("seed", range(400))
def test_any_mix_of_shapes_is_read_right(seed):
    """Whatever a server mixes, and wherever the network cuts it, the same is read out of it."""
    rng = random.Random(seed)
    words = [rng.choice(["Hi", " you", "\u00e9\u20ac", "\U0001f600", "\n", "[1]", "</think>", '"'])
             for _ in range(rng.randint(1, 40))]  # fmt: skip
    body, expected = render(rng, "Well, " + "".join(words))
    cuts = sorted(rng.randint(0, len(body)) for _ in range(rng.randint(0, 40)))

    got = collect(body, cuts)

    assert got == (
        expected.text,
        expected.prompt_tokens,
        expected.completion_tokens,
        expected.kind,
    ), body


@pytest.mark.parametrize("seed", range(200))
def test_garbage_is_the_servers_fault(seed):
    """A body with bytes changed, lost and doubled gives text that can be stored, or a kind."""
    rng = random.Random(seed)
    body = bytearray(render(rng, TEXT)[0])
    for _ in range(rng.randint(1, 30)):
        at = rng.randrange(len(body))
        body[at : at + rng.randint(0, 3)] = rng.choice(
            [b"", b"\n", b"{", b"]", b"\xff", b"\0", b":", b"null", bytes(body[at : at + 9])]
        )

    said, _, _, kind = collect(bytes(body), [])

    assert "\0" not in said.encode().decode()  # halves of characters cannot be encoded
    assert kind in MEANINGS or (kind is None and said), bytes(body)


def test_bytes_may_be_cut_anywhere():
    """Also within a character, a line's end and a word of the protocol."""
    body = sse(chunk({"content": TEXT}), chunk(None, reason="stop"), end="\r\n") + b"data:[DONE]"

    for cut in range(len(body) + 1):
        assert text_of(read(body[:cut], body[cut:])) == TEXT


def test_text_comes_as_soon_as_its_event_is_complete():
    """A piece does not wait for the next one."""
    answer, body = Answer(), sse(chunk({"content": "Hello"}))

    assert list(answer.feed(body[:-3])) == []
    assert list(answer.feed(body[-3:-1])) == [Piece("Hello")]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n\r\n"])
def test_whole_answer_is_taken(indent, ending):
    """A server that does not stream has answered all the same."""
    events = read(whole(TEXT, USAGE, indent=indent) + ending)

    assert events == [Piece(TEXT), End("stop"), Usage(40, 9, None)]


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None}, {"prompt_tokens": 0}, 7])
def test_what_is_not_told_is_unknown(usage):
    """Null, missing and zero are no number of tokens."""
    events = read(sse(chunk({"content": "Hi."}, usage=usage)))

    assert events == [Piece("Hi.")]


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"usage": USAGE}, Usage(40, 9, None)),
        ({"usage": USAGE | {"prompt_tokens_details": {"cached_tokens": 0}}}, Usage(40, 9, 0)),
        ({"usage": USAGE | {"prompt_tokens_details": None}}, Usage(40, 9, None)),
        ({"timings": {"cache_n": 38, "prompt_n": 2, "predicted_n": 5}}, Usage(40, 5, 38)),
        ({"usage": USAGE, "timings": {"cache_n": 38, "prompt_n": 2}}, Usage(40, 9, 38)),
    ],
    ids=["usage", "cached tokens", "no details", "timings of llama.cpp", "both"],
)
def test_tokens_are_those_of_the_server(told, usage):
    """Also those of the prompt that the server had in its cache, where it tells them."""
    events = read(sse(chunk({"content": "Hi."}, **told)))

    assert events == [Piece("Hi."), usage]


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_thinking_is_no_text(step):
    """Thoughts in tags before the answer count as tokens and say nothing."""
    said = f"\n<think>\n{THOUGHT}\n</think>\n\n{TEXT}"
    pieces = [said[at : at + step] for at in range(0, len(said), step)]

    events = read(sse(*(chunk({"content": piece}) for piece in pieces)))

    assert text_of(events) == TEXT
    assert sum(event.tokens for event in events) == len(pieces)


@pytest.mark.parametrize("text", ["<", " <thin", "<thinking> hard", "a <think> b </think>", " x"])
def test_what_only_looks_like_a_thought_is_text(text):
    """Nothing of an answer is lost because it begins like a tag, or has one in its middle."""
    assert text_of(read(sse(*(chunk({"content": letter}) for letter in text)))) == text


def test_thought_in_parts_is_no_text():
    """Parts of another type than text count as a token and say nothing."""
    thought = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]

    events = read(sse(chunk({"content": thought}), chunk({"content": "Hi."})))

    assert events == [Piece(""), Piece("Hi.")]


def test_halves_of_a_character_are_joined():
    """A server that escapes characters may cut one in two; half a one and NUL are not stored."""
    body = b"".join(
        b'data: {"choices": [{"delta": {"content": "%b"}}]}\n\n' % piece
        for piece in (b"a\\ud83d", b"\\ude00b", b"\\ud83d", b"c\\u0000")
    )

    assert text_of(read(body)) == "a\U0001f600bc"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "empty"),
        (b"\r\n\n", "empty"),
        (b"data: [DONE]\n\n", "empty"),
        (sse(chunk({"content": ""}), chunk(None, reason="stop")), "empty"),
        (sse(chunk({"content": "<think>"}), chunk({"content": THOUGHT})), "empty"),
        (sse(chunk({"reasoning_content": THOUGHT})), "empty"),
        (b"<!DOCTYPE html>\n<html>please log in</html>", "not_a_stream"),
        (b"\n  <html>please log in</html>", "not_a_stream"),
        (b"Internal Server Error", "not_a_stream"),
        (b'{"status": "ok"}', "not_a_stream"),
        (b"data: pong\n\n", "not_a_stream"),
        (b"\x1f\x8b\x08\x00\xff", "not_a_stream"),
        (b"a" * (2**20 + 1), "not_a_stream"),
        (b'{"choices": [{"message": {"content": "He', "broken_stream"),
    ],
)
def test_what_is_no_answer_is_the_servers_fault(body, kind):
    """Nothing, a page, another service's answer: each has its kind."""
    assert fault_of(body).kind == kind


@pytest.mark.parametrize("kind", FAILURES)
def test_failure_in_the_middle_has_its_kind(kind):
    """Each form of error after a good piece, and without one."""
    for body in FAILURES[kind]:
        assert fault_of(sse(chunk({"content": "Hello"})), body).kind == kind
        if kind == "error_event":
            fault = fault_of(body)
            assert (fault.kind, fault.said) == (kind, "slot is gone")


def test_what_the_server_said_is_one_short_line():
    """500 characters at most, without line breaks and control characters."""
    page = "<html>\n\x1b[31mplease\u202e log\tin " + "x" * 1000

    said = fault_of(page.encode()).said

    assert said.startswith("<html> [31mplease log in xxx")
    assert len(said) == 500


def test_continuation_may_be_empty():
    """A model that has nothing to add to a begun answer has answered, if the server ends it."""
    assert read(sse(chunk({}, reason="stop")), may_be_empty=True) == [End("stop")]
    with pytest.raises(EndpointError):
        read(sse(chunk({})), may_be_empty=True)


def test_nothing_follows_the_end():
    """What stands behind [DONE] is not read."""
    answer = Answer()

    events = list(answer.feed(sse(chunk({"content": "a"})) + b"data: [DONE]\n\n<html>"))

    assert (events, answer.is_done, list(answer.close())) == ([Piece("a")], True, [])
