"""How far this machine's clock is from the database's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fleet_exporters.collectors.clock import KEEP_SECONDS, MEASURE_SECONDS, Clock, find_offset

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def after(seconds):
    """Return a moment after NOW."""
    return NOW + timedelta(seconds=seconds)


def test_offset_is_taken_in_the_middle():
    """Half of the way there is not the clock's fault; ahead is positive."""
    assert find_offset(after(10), after(5.5), after(11)) == 5


def test_offset_of_a_real_database(owner):
    """A clock that is an hour ahead is told so; one question a minute is enough."""
    monotonic, asked = [0.0], []

    def ahead():
        asked.append(1)
        return datetime.now(UTC) + timedelta(hours=1)

    clock = Clock(ahead, lambda: monotonic[0])
    for monotonic[0] in (0.0, MEASURE_SECONDS - 1):
        clock.measure(owner)
    (sample,) = clock.read()

    assert sample.value == pytest.approx(3600, abs=5)
    assert len(asked) == 2


def test_old_offset_is_absent(owner):
    """While the database is away nobody knows; the metric goes."""
    monotonic = [0.0]
    clock = Clock(monotonic=lambda: monotonic[0])
    before = list(clock.read())
    clock.measure(owner)
    monotonic[0] = KEEP_SECONDS + 1

    assert (before, list(clock.read())) == ([], [])
