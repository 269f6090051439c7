"""What "Phone" is for: one column that a thumb can use, the stop at its top."""

from __future__ import annotations

import pytest

CANVAS = 390 - 2 * 8 - 2 * 9  # pixels: the screen without the margins of page and panel
THUMB = 44  # pixels


@pytest.fixture
def panels(panels_of):
    return panels_of("fleet-phone")


def test_panels_are_as_wide_as_the_screen(panels):
    """Nothing stands side by side."""
    assert {panel["gridPos"]["w"] for panel in panels.values()} == {24}


def test_stop_is_on_the_first_screen(panels):
    """Seen without scrolling: less than twelve grid units of 38 pixels from the top."""
    place = panels["Stop, pause, resume"]["gridPos"]
    stop = panels["Stop, pause, resume"]["options"]["root"]["elements"][0]

    assert stop["config"]["text"]["fixed"] == "EMERGENCY STOP"
    assert place["y"] < 12


def test_buttons_fit_a_thumb_and_the_screen(panels):
    """None is cut off at 390 pixels, none is too low to hit."""
    for element in panels["Stop, pause, resume"]["options"]["root"]["elements"]:
        at = element["placement"]
        assert at["left"] + at["width"] <= CANVAS
        if element["actions"]:
            assert at["height"] >= THUMB


def test_machines_with_problems_stand_first(panels, query, owner):
    """A missing one before all others; one that is off on purpose is no problem."""
    owner.execute("UPDATE fleet.nodes SET is_expected = true")

    rows = query(panels["All machines"]["targets"][0]["rawSql"])

    assert [(row["Node"], row["State"]) for row in rows] == [
        ("beta", "offline"),
        ("alpha", "online"),
    ]


def test_tables_have_three_columns(panels, query):
    """More are cut off on a phone; what only links need is hidden."""
    for title, panel in panels.items():
        if panel["type"] == "table" and "rawSql" in panel["targets"][0]:
            hidden = {
                each["matcher"]["options"]
                for each in panel["fieldConfig"]["overrides"]
                if any(prop["id"] == "custom.hideFrom.viz" for prop in each["properties"])
            }
            shown = set(query(panel["targets"][0]["rawSql"])[0]) - hidden
            assert len(shown) <= 3, title
