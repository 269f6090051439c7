"""What the twin's models say: by our own checks, and how much of it is new."""

from __future__ import annotations

import collections
import random
from dataclasses import dataclass

import pytest
from fleet_twin.model_server.speech.flaws import Nature, decide_nature, write_turn
from fleet_twin.model_server.speech.speaker import Call, speak
from prompts import SCENARIOS, Order, draw_orders, make_order

SAMPLE = 60  # conversations of each scenario


@dataclass(frozen=True)
class Written:
    """A first draft, each turn written once, and what quality says of it."""

    scenario: str
    order: Order
    texts: list[str]
    reason: str | None
    content_hash: bytes


def read_call(order):
    values = order.persona["values"]
    return Call(tuple(order.outline), values["mood"], values["manner"])


def write(order, seed, faults=()):
    call, texts = read_call(order), []
    for index in range(order.turns):
        texts.append(write_turn(call, index, texts, seed + index, faults))
    return texts


def judge(scenario, order, texts):
    verdict, reason = order.judge(texts)
    return Written(scenario, order, texts, reason, verdict.content_hash)


@pytest.fixture(scope="module")
def sample():
    draw = random.Random(7)
    return [
        judge(scenario, order, write(order, draw.getrandbits(31)))
        for scenario in SCENARIOS
        for order in draw_orders(scenario, SAMPLE)
    ]


def test_nine_of_ten_conversations_pass(sample):
    """Of all first drafts about nine of ten pass our checks, and most of each scenario."""
    accepted, seen = collections.Counter(), set()
    for written in sample:
        accepted[written.scenario] += written.reason is None and written.content_hash not in seen
        seen.add(written.content_hash)

    assert 0.86 < accepted.total() / len(sample) < 0.94
    assert len(accepted) == 10
    assert min(accepted.values()) > 0.75 * SAMPLE


def test_nothing_fails_but_what_is_to_fail(sample):
    """A call that is neither hard nor known by heart passes every check."""
    usual = [written for written in sample if decide_nature(read_call(written.order)) == Nature()]

    assert {written.reason for written in usual} == {None}


def test_failures_are_of_several_kinds(sample):
    """As with real small models: repetitions, refusals, mixed-up roles, broken-off sentences."""
    reasons = {written.reason for written in sample}

    assert {"repetition", "refusal", "roles_confused", "cut_off", "placeholder"} <= reasons


def test_conversations_differ(sample):
    """Hundreds of them have each their own words, but for a few that are known by heart."""
    hashes = collections.Counter(written.content_hash for written in sample)
    repeated = sum(count for count in hashes.values() if count > 1)

    assert 0.01 < repeated / len(sample) < 0.08


def test_openings_differ(sample):
    """Also without the names in them: one in three is its own."""
    openings = set()
    for written in sample:
        values = written.order.persona["values"]
        text = written.texts[0].replace(values["agent_name"], "")
        openings.add(text.replace(values["company"], ""))

    assert len(openings) > SAMPLE * 10 / 3


@pytest.mark.parametrize("turns", [2, 3, 7, 40])
def test_any_length_is_spoken(turns):
    """The shortest calls and the longest: no sentence twice, whatever the number of turns."""
    order = make_order("insurance_claim", turns=turns)
    call, texts = read_call(order), []
    for index in range(turns):
        texts.append(speak(call, index, texts, random.Random(index)))

    assert order.judge(texts)[1] is None


def test_seed_decides_the_words():
    """The same seed says the same again, another one says something else."""
    order = make_order()

    assert write(order, 5) == write(order, 5)
    assert write(order, 5) != write(order, 500)


def test_facts_of_the_prompt_are_spoken():
    """Names, amounts and dates stand in the words as in the outline."""
    order = make_order("healthcare_billing")
    values = order.persona["values"]

    text = " ".join(write(order, 3))

    for name in ("company", "agent_name", "customer_name", "amount", "visit", "date_of_birth"):
        assert values[name] in text


def test_unknown_line_is_said_as_it_stands():
    """A scenario that nobody wrote phrases for is spoken all the same."""
    order = make_order()
    line = type(order.outline[0])("customer", "has lost both umbrellas")

    text = speak(Call((line,)), 0, [], random.Random(1))

    assert text.startswith("I've lost both umbrellas")


def test_bad_output_is_rejected():
    """Nonsense that no check lets pass."""
    for seed in range(20):
        assert make_order().judge(write(make_order(), seed, {"bad-output"}))[1] is not None


def test_duplicate_output_is_a_duplicate():
    """Other people, another seed: the same conversation, to the checks a good one."""
    orders = [make_order(seed=seed) for seed in (1, 2)]

    verdicts = [order.judge(write(order, order.turns, {"duplicate-output"})) for order in orders]

    assert verdicts[0][1] is None
    assert verdicts[0][0].content_hash == verdicts[1][0].content_hash
