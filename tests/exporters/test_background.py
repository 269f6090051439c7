"""Slow readings happen in the background: the tick sees the last result and never waits."""

from __future__ import annotations

import threading

import pytest
from fleet_exporters.errors import NoDevice
from fleet_exporters.reading.background import BackgroundReader


def fail(error):
    """Return a reading that fails."""

    def read():
        raise error

    return read


def test_nothing_is_known_before_the_first_answer():
    """Neither value nor error, and nothing was waited for."""
    outcome = BackgroundReader(lambda: 1, period=5, deadline=2).latest()

    assert (outcome.value, outcome.error) == (None, None)


def test_last_answer_is_kept():
    """The tick sees what the last reading gave, and how long it took."""
    times = iter([10.0, 10.25])
    reader = BackgroundReader(lambda: 7, period=5, deadline=2, clock=lambda: next(times))

    reader.read_once()

    assert (reader.latest().value, reader.latest().seconds) == (7, 0.25)


@pytest.mark.parametrize("error", [NoDevice("none"), OSError("bus")])
def test_error_is_told_instead_of_a_value(error):
    """An old value is not shown after a reading has failed."""
    reader = BackgroundReader(fail(error), period=5, deadline=2)

    reader.read_once()

    assert (reader.latest().value, reader.latest().error) == (None, error)


def test_hung_reading_is_an_error_until_it_ends():
    """Within its deadline the last answer stands; after it, the reading is overdue."""
    now, asked, go_on, stop = [0.0], threading.Event(), threading.Event(), threading.Event()

    def hang():
        asked.set()
        go_on.wait(10)
        stop.set()
        return 7

    reader = BackgroundReader(hang, period=5, deadline=2, clock=lambda: now[0])
    reader.start("hung", stop)
    assert asked.wait(10)

    within, now[0] = reader.latest(), 2.5
    overdue = reader.latest()
    go_on.set()
    assert stop.wait(10)

    assert within.error is None
    assert "no answer for 2 s" in str(overdue.error)


def test_reading_goes_on_until_it_is_stopped():
    """Each period has its reading; none after the end."""
    stop, count = threading.Event(), [0]

    def read():
        count[0] += 1
        if count[0] == 3:
            stop.set()

    BackgroundReader(read, period=0.001, deadline=2).start("counting", stop)

    assert stop.wait(10)
    assert count == [3]
