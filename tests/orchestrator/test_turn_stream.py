"""Turns out of an answer that is still being written."""

from __future__ import annotations

import json

import pytest
from fleet_orchestrator.generation.turn_stream import TurnStream

TURNS = [
    {"speaker": "agent", "does": "offers help", "text": 'Say "hi" to {me}, [now] \\ or }{ later.'},
    {"speaker": "customer", "does": "asks", "text": "Caf\u00e9? \u20ac5 \U0001f600 {}{}"},
    {"speaker": "agent", "does": "thanks", "text": "Bye."},
]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_each_turn_comes_as_soon_as_it_is_complete(indent, is_ascii):
    """Fed character by character, a turn appears with its closing brace, once, in order."""
    answer = json.dumps({"turns": TURNS}, indent=indent, ensure_ascii=is_ascii)
    stream, seen = TurnStream(), []

    for end, character in enumerate(answer, start=1):
        for turn in stream.feed(character):
            assert character == "}"
            assert json.dumps(turn, indent=indent, ensure_ascii=is_ascii)[-1] == answer[end - 1]
            seen.append(turn)

    assert seen == TURNS


def test_answer_may_be_split_anywhere():
    """Two pieces, cut at every place, give the same turns."""
    answer = json.dumps({"turns": TURNS})

    for cut in range(len(answer) + 1):
        stream = TurnStream()

        assert stream.feed(answer[:cut]) + stream.feed(answer[cut:]) == TURNS


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "I cannot help with that.",
        "{",
        "[",
        "]",
        '{"turns": ',
        '{"turns": [{"speaker": "ag',
        "[[[",
    ],
)
def test_garbage_gives_no_turns(garbage):
    """What is no answer, or none yet, gives nothing and raises nothing."""
    assert TurnStream().feed(garbage) == []


def test_turn_can_be_stored():
    """What no database stores is taken out of the text, also where the model escapes it."""
    answer = '{"turns": [{"speaker": "agent", "text": "a\\u0000b\\ud83d c\\ud83d\\ude00"}]}'

    (turn,) = TurnStream().feed(answer)

    assert turn["text"] == "ab c\U0001f600"


def test_nesting_without_end_is_no_turn():
    """A model that only opens brackets breaks nothing but its answer."""
    assert TurnStream().feed('{"turns": [{"a": ' + "[" * 100_000) == []


def test_talk_before_the_answer_is_skipped():
    """Some models say a word before the JSON."""
    answer = "Sure, here it is:\n" + json.dumps({"turns": TURNS})

    assert TurnStream().feed(answer) == TURNS


def test_broken_turn_hides_what_follows():
    """After a turn that is no JSON nothing more is handed out: order matters more."""
    answer = '{"turns": [{"speaker": agent}, {"speaker": "customer", "text": "Hi."}]}'

    assert TurnStream().feed(answer) == []
