"""How machines were in the past: days with work, games, nights of writing, and heat."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from fleet_twin.history.fill import STRETCHES
from fleet_twin.history.readings import list_values
from fleet_twin.history.stretches import list_stretches
from fleet_twin.machine.kinds import list_places

END = datetime(2026, 6, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
PLACES = {place.kind.name: place for place in list_places(5)}


def live(kind, seed=1):
    return list(list_stretches(PLACES[kind], END - WEEK, END, seed))


@pytest.mark.parametrize("kind", ["gamer", "desktop", "epyc", "raspberry"])
def test_stretches_follow_each_other(kind):
    """Without a gap, from the beginning to the end."""
    stretches = live(kind)

    assert stretches[0].begin == END - WEEK
    assert stretches[-1].end == END
    assert all(one.end == other.begin for one, other in pairwise(stretches))


def test_laptop_sleeps_at_night():
    """Seven hours a day are missing, and its counters begin anew after them."""
    stretches = live("laptop")

    awake = sum(stretch.seconds for stretch in stretches)
    assert awake == pytest.approx(WEEK.total_seconds() * 17 / 24, rel=0.03)
    falls = [
        one for one, other in pairwise(stretches)
        if other.received.count < one.received.count
    ]  # fmt: skip
    assert 1 <= len(falls) <= 8


def test_games_heat_the_card_and_stop_the_writing():
    """Evenings of games: the card is hot, the worker gets nothing."""
    stretches = live("gamer")
    games = [stretch for stretch in stretches if stretch.doing == "game"]
    idle = [stretch for stretch in stretches if stretch.doing == "away" and not stretch.is_writing]

    assert games
    assert not any(stretch.is_writing for stretch in games)
    assert {stretch.throttle_factor for stretch in games} == {0.0}
    assert min(s.card.celsius_to for s in games) > max(s.card.celsius_to for s in idle) + 10


def test_nights_are_for_writing():
    """Most of the night an idle machine writes; the CPU of one without a card is then busy."""
    writing = [stretch for stretch in live("epyc") if stretch.is_writing]
    others = [stretch for stretch in live("epyc") if not stretch.is_writing]

    assert 0.4 < len(writing) / (len(writing) + len(others)) < 0.8
    assert min(s.cpu.load for s in writing) > max(s.cpu.load for s in others)


def test_heat_goes_on_where_it_was():
    """A stretch begins with the temperature that the one before reached."""
    stretches = live("desktop")

    for one, other in pairwise(stretches):
        assert other.cpu.celsius_from == pytest.approx(one.cpu.celsius_after(one.seconds))


def test_counters_go_on_where_they_were():
    """Bytes are never lost between two stretches."""
    for one, other in pairwise(live("epyc")):
        expected = one.written.count + one.written.rate * one.seconds
        assert other.written.count == pytest.approx(expected)


def test_past_follows_from_its_seed():
    """The same seed gives the same past, another one another."""
    assert live("gamer") == live("gamer")
    assert live("gamer") != live("gamer", seed=2)


def test_every_column_has_its_value():
    """A name that the table has not would be lost, and one that is not told would be empty."""
    columns = re.findall(
        r"(\w+) (?:text|timestamptz|integer|boolean|double)", STRETCHES.read_text()
    )

    assert len(columns) > 40
    assert list_values(live("gamer")[0]).keys() == set(columns)
