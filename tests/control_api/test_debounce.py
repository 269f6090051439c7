"""Double clicks: the second press is answered with the first, and only that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from fleet_control_api.changes.commands import Done
from fleet_control_api.changes.debounce import Debounce

DONE = Done({"state": "paused"}, "fleet", "noise")


def test_second_press_gets_the_answer_of_the_first(clock):
    """For two seconds; afterwards, and under another key, it is a press of its own."""
    debounce = Debounce(clock)
    once = [debounce.once(key, lambda: DONE) for key in ("ada", "ada")]
    clock.now += 3
    later = debounce.once("ada", lambda: DONE)

    assert [*once, later] == [(DONE, False), (DONE, True), (DONE, False)]
    assert debounce.once("eve", lambda: DONE) == (DONE, False)


def test_press_after_another_change_is_none_of_the_same(clock):
    """Whatever was changed meanwhile, by a press or otherwise, makes the next press count."""
    debounce = Debounce(clock)
    debounce.once("pause", lambda: DONE)
    debounce.once("resume", lambda: DONE)
    again = debounce.once("pause", lambda: DONE)
    debounce.count_change()

    assert again == (DONE, False)
    assert debounce.once("pause", lambda: DONE) == (DONE, False)


def test_press_during_another_change_is_not_remembered(clock):
    """Nobody knows which of the two was the last: the next press counts."""
    debounce = Debounce(clock)

    def change():
        debounce.count_change()
        return DONE

    debounce.once("pause", change)

    assert debounce.once("pause", lambda: DONE) == (DONE, False)


def test_failed_press_is_not_remembered(clock):
    """The press after a failure tries again."""
    debounce = Debounce(clock)

    with pytest.raises(ZeroDivisionError):
        debounce.once("ada", lambda: 1 / 0)
    assert debounce.once("ada", lambda: DONE) == (DONE, False)


def test_second_press_waits_for_the_first():
    """Two clicks that arrive together are one change."""
    debounce = Debounce()
    begun, go_on = Event(), Event()

    def change():
        begun.set()
        assert go_on.wait(10)
        return DONE

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(debounce.once, "ada", change)
        assert begun.wait(10)
        second = pool.submit(debounce.once, "ada", lambda: 1 / 0)
        go_on.set()

        assert [first.result(10), second.result(10)] == [(DONE, False), (DONE, True)]
