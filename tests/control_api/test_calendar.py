"""When a node is off on purpose: over HTTP and at the command line."""

from __future__ import annotations

import pytest
from fleet_control_api.client.calendar import parse_time, render
from fleet_control_api.service.errors import ClientError

PATH = "/nodes/alpha/calendar"
NIGHT = {"weekdays": [5, 1], "off_from": "23:00", "off_to": "07:00", "time_zone": "Europe/Berlin"}


def put(api, *times, path=PATH, **rest):
    return api.call("operator", "PUT", path, json={"times": list(times), **rest})


def test_calendar_is_set_shown_and_audited(api):
    """It is given back as it holds; the audit row says what and why."""
    answer = put(api, NIGHT, reason="noise")

    assert answer.status_code == 200
    assert answer.json["times"] == [{**NIGHT, "weekdays": [1, 5]}]
    assert api.call("viewer", "GET", PATH).json == answer.json
    [row] = api.audit()
    assert (row["action"], row["target"], row["reason"]) == (
        "nodes.calendar", "node alpha", "noise: off 5,1 23:00-07:00 Europe/Berlin",
    )  # fmt: skip


def test_empty_calendar_ends_it(api):
    """Nothing is left, and the node is expected."""
    put(api, {**NIGHT, "weekdays": [1, 2, 3, 4, 5, 6, 7], "off_from": "00:00", "off_to": "00:00"})
    assert api.call("viewer", "GET", PATH).json["is_expected"] is False

    assert put(api).json == {"node": "alpha", "is_expected": True, "times": []}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"time_zone": "Europe/Nowhere"}, "unknown time zone 'Europe/Nowhere'"),
        ({"weekdays": []}, "weekdays"),
        ({"weekdays": [8]}, "weekdays"),
        ({"off_from": "24:00"}, "off_from"),
    ],
)
def test_time_that_there_is_not_is_refused(api, change, said):
    """The value is named, and nothing has changed."""
    response = put(api, {**NIGHT, **change})

    assert response.status_code == 422
    assert said in str(response.json)
    assert api.call("viewer", "GET", PATH).json["times"] == []


def test_too_many_times_are_refused(lasting_api):
    """Twenty a week are enough for anybody."""
    response = put(lasting_api, *[NIGHT] * 21)

    assert (response.status_code, response.json["detail"]) == (
        422, "times must have 0 to 20 entries",
    )  # fmt: skip


def test_calendar_of_nobody_is_said(lasting_api):
    """404 names the node."""
    for method, options in (("GET", {}), ("PUT", {"json": {"times": []}})):
        response = lasting_api.call("operator", method, "/nodes/gamma/calendar", **options)
        assert (response.status_code, "no node gamma" in response.json["detail"]) == (404, True)


@pytest.mark.parametrize(
    ("text", "weekdays"),
    [
        ("mon@23:00-07:00", [1]),
        ("fri-mon@23:00-07:00", [1, 5, 6, 7]),
        ("tue,sat-sun@23:00-07:00", [2, 6, 7]),
    ],
)
def test_times_are_written_as_people_say_them(text, weekdays):
    """Days, spans of days that may go over Sunday, lists of both."""
    assert parse_time(text, "UTC") == {
        "weekdays": weekdays, "off_from": "23:00", "off_to": "07:00", "time_zone": "UTC",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["mon", "mon@23:00", "someday@23:00-07:00", ""])
def test_what_is_no_time_is_named(text):
    """The error says how to write it."""
    with pytest.raises(ClientError) as raised:
        parse_time(text, "UTC")
    assert raised.value.remedy


def test_calendar_is_told_in_words():
    """Days by their names, and whether the node is expected now."""
    calendar = {"node": "alpha", "is_expected": False, "times": [NIGHT | {"weekdays": [1, 5]}]}

    assert render(calendar) == (
        "alpha is off mon,fri from 23:00 to 07:00 (Europe/Berlin).\nNow it is off on purpose."
    )
