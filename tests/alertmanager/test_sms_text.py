"""What a text message says."""

from __future__ import annotations

import pytest
from fix_sms import webhook
from fleet_sms.text import count_septets, fold, parse_notice, render_rest, shorten


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("GPU at 91 °C, ≥ 80", "GPU at 91 C, >= 80"),
        ("naïve Œuvre “quoted” … ok", 'naive ?uvre "quoted" ... ok'),
        ("ÄÖÜß é ñ", "ÄÖÜß é ñ"),
        ("[a|b]", "[a|b]"),
        ("温度 🔥", "?? ?"),
    ],
)
def test_text_is_folded_into_the_gsm_alphabet(text, folded):
    """One strange character would make the message twice as long, and dearer."""
    assert fold(text) == folded


@pytest.mark.parametrize("text", ["x" * 160, "x" * 161, "[" * 100, "é " * 200, ""])
def test_text_fits_into_one_message(text):
    """Brackets and braces take two places."""
    short = shorten(text)

    assert count_septets(short) <= 160
    assert short == text.strip() or short.endswith("...")


@pytest.mark.parametrize(
    ("notice", "text"),
    [
        (webhook("alpha"), "ALERT NodeDown on alpha: It is gone."),
        (webhook("a", "b", "c"), "ALERT NodeDown on a, b, c: It is gone."),
        (
            webhook(*[f"pi-{number}" for number in range(20)]),
            "ALERT NodeDown on pi-0, pi-1, pi-2 (20 in all): It is gone.",
        ),
        (webhook("alpha", status="resolved"), "OVER NodeDown on alpha: It is gone."),
        (webhook("", name="NoLeader", said=""), "ALERT NoLeader: In short."),
    ],
    ids=["one", "three", "twenty", "over", "whole fleet"],
)
def test_message_says_what_and_where(notice, text):
    """The first three nodes by name, more as a number."""
    assert parse_notice(notice).text == text


def test_group_that_is_over_in_part_fires():
    """What fires still is what a person must know."""
    notice = webhook("alpha")
    notice["alerts"] += webhook("beta", status="resolved")["alerts"]

    assert parse_notice(notice).text == "ALERT NodeDown on alpha: It is gone."


def test_digest_tells_news_from_repetitions():
    """The text may change (seconds go on) while the news is the same, and the other way round."""
    first = parse_notice(webhook("alpha", said="31 s ago")).digest

    assert parse_notice(webhook("alpha", said="99 s ago")).digest == first
    assert parse_notice(webhook("alpha", status="resolved")).digest != first
    assert parse_notice(webhook("alpha", "beta")).digest != first


def test_what_was_held_back_is_one_message():
    """With the number and the names."""
    text = render_rest({"NodeDown": 396, "GpuHot": 6})

    assert text.startswith("And 402 more alert messages: NodeDown, GpuHot.")
