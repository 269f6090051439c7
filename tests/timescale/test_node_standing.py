"""Two witnesses of each machine, and the times at which it is off on purpose."""

from __future__ import annotations

import json
from datetime import datetime, time

import pytest
from fix_fleet import fleet_error

WITHIN = "SELECT fleet.is_within(%s, %s, %s, %s)"
NIGHT = {
    "weekdays": [1, 2, 3, 4, 5],
    "off_from": "23:00",
    "off_to": "07:00",
    "time_zone": "Europe/Berlin",
}


@pytest.mark.parametrize(
    ("agent", "exporter", "state", "silent"),
    [
        (5, 5, "online", None),
        (5, None, "online", "exporter"),
        (5, 40, "online", "exporter"),
        (60, 5, "stale", "agent"),
        (200, 5, "stale", "agent"),
        (None, 5, "stale", "agent"),
        (200, 60, "stale", "agent and exporter"),
        (60, None, "stale", "agent and exporter"),
        (200, 200, "offline", "agent and exporter"),
        (None, None, "offline", "agent and exporter"),
    ],
)
def test_offline_needs_both_to_be_silent(fleet, agent, exporter, state, silent):
    """A machine whose exporter speaks is there, if stale; who is silent is told."""
    fleet.rows(
        "UPDATE fleet.nodes SET last_heartbeat_at = now() - make_interval(secs => %s)"
        " WHERE node = 'alpha'",
        agent,
    )
    if exporter is not None:
        fleet.rows(
            "INSERT INTO telemetry.hardware (time, node, mode)"
            " VALUES (now() - make_interval(secs => %s), 'alpha', 'idle')",
            exporter,
        )

    rows = fleet.rows("SELECT state, silent FROM analytics.nodes WHERE node = 'alpha'")

    assert rows == [{"state": state, "silent": silent}]


@pytest.mark.parametrize(
    ("local", "is_off"),
    [
        ("2026-11-23 22:59", False),  # a Monday
        ("2026-11-23 23:00", True),
        ("2026-11-24 06:59", True),
        ("2026-11-24 07:00", False),
        ("2026-11-28 03:00", True),  # the night that began on Friday
        ("2026-11-28 23:30", False),
        ("2026-11-23 03:00", False),  # the night that began on Sunday
    ],
)
def test_night_belongs_to_the_day_on_which_it_begins(fleet, local, is_off):
    """Off over midnight on weekdays: Friday's night ends on Saturday, Sunday's does not count."""
    night = ([1, 2, 3, 4, 5], time(23), time(7))

    assert fleet.value(WITHIN, datetime.fromisoformat(local), *night) is is_off


@pytest.mark.parametrize(
    ("clock", "is_off"), [("08:59", False), ("09:00", True), ("16:59", True), ("17:00", False)]
)
def test_time_within_a_day(fleet, clock, is_off):
    """The beginning is within, the end is not."""
    local = datetime.fromisoformat(f"2026-11-23 {clock}")

    assert fleet.value(WITHIN, local, [1], time(9), time(17)) is is_off


def set_calendar(fleet, times, node="alpha"):
    fleet.rows(
        "SELECT fleet.set_node_calendar(%s, %s)", node, json.dumps(times), user="fleet_control"
    )


def is_expected(fleet, user="fleet_grafana"):
    return fleet.value("SELECT is_expected FROM analytics.nodes WHERE node = 'alpha'", user=user)


def test_machine_that_is_off_by_its_calendar_is_not_expected(fleet):
    """Whole days, by the clock of its time zone; an empty list makes it expected again."""
    always = {
        "weekdays": [7, 1, 2, 3, 4, 5, 6],
        "off_from": "00:00",
        "off_to": "00:00",
        "time_zone": "Asia/Tokyo",
    }
    assert is_expected(fleet)

    set_calendar(fleet, [NIGHT, always])
    assert not is_expected(fleet)
    rows = fleet.rows(
        "SELECT * FROM analytics.node_calendar ORDER BY position", user="fleet_grafana"
    )
    assert [row["weekdays"] for row in rows] == [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7]]

    set_calendar(fleet, [])
    assert is_expected(fleet)


def test_calendar_goes_by_the_clock_of_its_zone(fleet):
    """The same hour of the day is off in one zone and not in another."""
    hour = fleet.value("SELECT (now() AT TIME ZONE 'Asia/Tokyo')::time")
    around = {
        "weekdays": [1, 2, 3, 4, 5, 6, 7],
        "off_from": hour.replace(minute=0, second=0, microsecond=0).isoformat(),
        "off_to": hour.replace(minute=59, second=59, microsecond=999999).isoformat(),
    }
    set_calendar(fleet, [{**around, "time_zone": "Asia/Tokyo"}])
    assert not is_expected(fleet)

    set_calendar(fleet, [{**around, "time_zone": "UTC"}])
    assert is_expected(fleet)


def test_switched_off_by_hand_counts_too(fleet):
    """A calendar does not make a machine expected that people have switched off."""
    fleet.rows("UPDATE fleet.nodes SET is_expected = false WHERE node = 'alpha'")

    assert not is_expected(fleet)


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "FOO3", "", "Europe/Berlin; x"])
def test_unknown_time_zone_is_refused_and_changes_nothing(fleet, zone):
    """It is named, and what held before still holds."""
    set_calendar(fleet, [NIGHT])

    with fleet_error("unknown time zone", "Europe/Berlin or UTC"):
        set_calendar(fleet, [{**NIGHT, "time_zone": zone}])

    assert fleet.value("SELECT time_zone FROM analytics.node_calendar") == "Europe/Berlin"


def test_calendar_of_nobody_is_refused(fleet):
    """A node that there is not is named."""
    with fleet_error("no node gamma", "analytics.nodes"):
        set_calendar(fleet, [NIGHT], "gamma")


def test_machine_off_by_its_calendar_is_told_without_alarm(fleet):
    """Its silence is information, not a warning."""
    fleet.beat("alpha")
    fleet.rows("SELECT fleet.watch_nodes()")
    set_calendar(
        fleet,
        [{**NIGHT, "weekdays": [1, 2, 3, 4, 5, 6, 7], "off_from": "00:00", "off_to": "00:00"}],
    )
    fleet.rows(
        "UPDATE fleet.nodes SET last_heartbeat_at = now() - interval '1 hour' WHERE node = 'alpha'"
    )

    assert fleet.value("SELECT fleet.watch_nodes()") == 1
    (event,) = fleet.rows(
        "SELECT severity, message FROM analytics.events WHERE kind = 'node_offline'"
    )
    assert event["severity"] == "info"
    assert event["message"].endswith("and it is off on purpose now.")
