"""The pace of an answer, by a clock that nobody waits for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest
from fleet_twin.model_server.behaviour import Behaviour
from fleet_twin.model_server.generation import Clock, generate, plan_answer
from fleet_twin.model_server.slots import Slot
from fleet_twin.model_server.tokens import count_tokens, split_tokens

MACHINE = Behaviour(tokens_per_second=20.0, prompt_tokens_per_second=500.0, model="tiny.gguf")
ANSWER = "one two three four five six seven eight nine ten " * 10


@dataclass
class Machine:
    """A machine that behaves by the clock, which pauses move on."""

    decide: object
    seconds: float = 0.0
    looks: int = 0

    def read(self):
        self.looks += 1
        return self.decide(self.seconds)

    async def pause(self, seconds):
        self.seconds += seconds

    def generate(self, prompt="hello", slot=None):
        """Pieces of the answer, each with the time at which it came."""

        async def collect():
            plan = plan_answer(prompt, ANSWER, 1000, ())
            clock = Clock(lambda: self.seconds, self.pause)
            pieces = generate(plan, slot or Slot(0), self.read, clock)
            return [(self.seconds, piece) async for piece in pieces]

        return asyncio.run(collect())


def wedged_between(begin, end):
    return lambda at: replace(
        MACHINE, faults=frozenset({"wedged-model"} if begin <= at < end else ())
    )


def test_all_of_an_answer_is_written():
    """The pieces put together are the answer, and the tokens all of it."""
    pieces = [piece for _, piece in Machine(lambda _: MACHINE).generate()]

    assert "".join(piece.text for piece in pieces) == ANSWER
    assert pieces[-1].written_tokens == count_tokens(ANSWER)


def test_first_token_comes_alone():
    """Once the prompt is read, without waiting for more."""
    (at, first), *_ = Machine(lambda _: MACHINE).generate("word " * 500)

    assert first.written_tokens == 1
    assert at == pytest.approx((first.read_tokens / 500) + 1 / 20, rel=0.1)


def test_fast_model_sends_several_tokens_at_once():
    """Five wake-ups a second are enough for any speed."""
    machine = Machine(lambda _: replace(MACHINE, tokens_per_second=200.0))

    pieces = machine.generate()

    assert len(pieces) <= machine.seconds * 5 + 2


def test_long_context_slows_a_model_down():
    """Behind twelve thousand tokens it writes half as fast."""
    short, long = Machine(lambda _: MACHINE), Machine(lambda _: MACHINE)
    *_, (_, last) = short.generate()
    *_, (_, last_of_long) = long.generate("word " * 12_000)

    assert last_of_long.written_seconds == pytest.approx(2 * last.written_seconds, rel=0.05)


def test_throttling_acts_in_the_middle_of_an_answer():
    """A machine that gets hot after two seconds takes longer for the rest."""
    hot = Machine(lambda at: MACHINE if at < 2 else replace(MACHINE, tokens_per_second=5.0))

    *_, (at, last) = hot.generate()

    assert at == pytest.approx(2 + (last.written_tokens - 40) / 5, rel=0.1)


def test_prompt_in_the_cache_is_not_read_again():
    """What the slot had last counts as cached, its last token apart."""
    machine, slot = Machine(lambda _: MACHINE), Slot(0)
    machine.generate("word " * 500, slot)

    (_, first), *_ = machine.generate("word " * 500, slot)

    assert first.read_tokens == 1
    assert first.cached_tokens == count_tokens("word " * 500) - 1


def test_wedged_model_begins_nothing():
    """Until the fault is cleared; it is looked at twice a second."""
    machine = Machine(wedged_between(0, 60))

    (at, _), *_ = machine.generate()

    assert at > 60
    assert machine.looks < 60 * 2 + 100


def test_answer_that_is_wedged_stands_still():
    """What was begun before the fault goes on after it."""
    times = [at for at, _ in Machine(wedged_between(1, 60)).generate()]

    assert any(at <= 1.2 for at in times)
    assert not any(1.2 < at < 60 for at in times)
    assert times[-1] > 60


def test_tokens_are_the_text():
    """No character is lost, whatever the text."""
    text = 'Well,  it\'s "$1,240.00"\n\tfor Müller… 数字 [PII]!'

    assert "".join(split_tokens(text)) == text
