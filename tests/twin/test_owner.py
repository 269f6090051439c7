"""What owners do at which time of day."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from fleet_twin.machine.kinds import list_places
from fleet_twin.machine.owner import Owner, decide_doing, plan_day
from fleet_twin.machine.simulation import make_machine

MONDAY, SATURDAY = datetime(2026, 11, 23), datetime(2026, 11, 28)  # noqa: DTZ001 - time on the wall


def hours_of(habit, day, doing, owners=40):
    """Hours of a day, as a mean of so many owners, that they spend on something."""
    quarters = [day + timedelta(minutes=15 * n) for n in range(96)]
    found = sum(
        decide_doing(Owner(habit, f"owner {n}"), at) == doing
        for n in range(owners)
        for at in quarters
    )
    return found / 4 / owners


def test_an_office_works_by_day_and_never_plays():
    """Seven to nine hours on a Monday, none on a Saturday."""
    assert 6.5 < hours_of("office", MONDAY, "work") < 9
    assert hours_of("office", SATURDAY, "work") == 0
    assert hours_of("office", MONDAY, "game") == 0


def test_gamers_play_longer_at_weekends():
    """Evenings on most days, afternoons as well at weekends."""
    assert 1 < hours_of("gamer", MONDAY, "game") < 3
    assert hours_of("gamer", SATURDAY, "game") > 1.5 * hours_of("gamer", MONDAY, "game")


def test_gamers_play_in_the_evening():
    """On a Monday nobody plays before noon; by nine in the evening most do."""
    owners = [Owner("gamer", f"owner {n}") for n in range(40)]
    playing = [decide_doing(owner, MONDAY + timedelta(hours=21)) for owner in owners].count("game")

    assert {decide_doing(owner, MONDAY + timedelta(hours=10)) for owner in owners} == {"away"}
    assert playing > 15


def test_a_game_goes_on_past_midnight():
    """What began on the evening before counts on the next day."""
    sessions = [
        session
        for n in range(200)
        for session in plan_day(Owner("gamer", f"owner {n}"), date(2026, 11, 28))
    ]
    (late, *_) = [each for each in sessions if each.end.date() > each.begin.date()]
    owner = next(
        Owner("gamer", f"owner {n}")
        for n in range(200)
        if late in plan_day(Owner("gamer", f"owner {n}"), date(2026, 11, 28))
    )

    assert decide_doing(owner, late.end - timedelta(seconds=1)) == "game"
    assert decide_doing(owner, late.end) == "away"


def test_nobody_does_nothing():
    """A server has no owner."""
    assert hours_of("nobody", SATURDAY, "away", owners=1) == 24


def test_a_seed_gives_the_same_days():
    """And another one gives others."""
    days = [date(2026, 11, n) for n in range(1, 29)]

    def live(seed):
        return [plan_day(Owner("gamer", seed), day) for day in days]

    assert live("one") == live("one")
    assert live("one") != live("two")


@pytest.mark.parametrize("hour", range(24))
def test_with_phases_somebody_is_busy_at_each_hour(hour):
    """Owners in time zones of their own keep a fleet of fifty from sleeping all at once."""
    owners = [make_machine(place, "tests").owner for place in list_places(50)]

    at = MONDAY + timedelta(hours=hour)

    assert {"away"} < {decide_doing(owner, at) for owner in owners}
