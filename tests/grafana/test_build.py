"""The committed JSON, and the grid that the builders put panels on."""

from __future__ import annotations

import pytest
from fleet_dashboards import build, links
from fleet_dashboards.errors import DashboardError
from fleet_dashboards.layout import Heading, Row, place


def panel(number, title="A panel"):
    return {"id": number, "title": title}


def test_committed_files_are_what_the_builders_say():
    """Nobody edits the JSON by hand, and no builder changes without it."""
    built = {name: build.render(dashboard) for name, dashboard in build.dashboards().items()}

    assert built == {path.name: path.read_text() for path in build.FOLDER.glob("*.json")}


def test_main_writes_all_files(tmp_path, capsys):
    """The command writes each dashboard and names the files."""
    assert build.main(tmp_path / "new") == 0

    assert sorted(build.dashboards()) == sorted(
        path.name for path in (tmp_path / "new" / "dashboards").iterdir()
    )
    assert str(tmp_path / "new" / "dashboards" / "fleet-overview.json") in capsys.readouterr().out


def test_panels_stand_side_by_side_and_below():
    """A row fills the width from the left; the next row begins below it."""
    placed = place([Row(3, [(10, panel(1)), (14, panel(2))]), Row(5, [(24, panel(3))])])

    assert [each["gridPos"] for each in placed] == [
        {"x": 0, "y": 0, "w": 10, "h": 3},
        {"x": 10, "y": 0, "w": 14, "h": 3},
        {"x": 0, "y": 3, "w": 24, "h": 5},
    ]


@pytest.mark.parametrize("width", [23, 25])
def test_row_must_fill_the_width(width):
    """A row that is too narrow or too wide names its panels."""
    with pytest.raises(DashboardError, match=f"the row with Heat is {width} columns wide"):
        place([Row(3, [(width, panel(1, "Heat"))])])


def test_panel_numbers_are_unique():
    """Two panels of one number would be one panel to links and tests."""
    with pytest.raises(DashboardError, match="panel number 7 is used twice"):
        place([Row(3, [(12, panel(7)), (12, panel(7))])])


def test_panels_are_listed():
    """PANELS.md is what the builders say, so that each figure can be reproduced."""
    built = build.dashboards().values()

    assert build.render_index(built) == (build.ROOT / "PANELS.md").read_text()


def test_readme_names_every_dashboard():
    """The README has each dashboard with its address."""
    readme = (build.ROOT / "README.md").read_text()
    for dashboard in build.dashboards().values():
        assert f"| `/d/{dashboard['uid']}` | {dashboard['title']} |" in readme


def test_menu_leads_to_every_other_dashboard_of_it():
    """A dashboard's header has all of the menu but itself."""
    for dashboard in build.dashboards().values():
        urls = [link["url"] for link in dashboard["links"]]
        assert urls == [f"/d/{uid}" for uid in links.MENU if uid != dashboard["uid"]]


def test_heading_takes_a_line():
    """A heading stands above its rows, which begin below it."""
    placed = place([Heading(5, "Is it running?"), Row(3, [(24, panel(1))])])

    assert [(each["id"], each["gridPos"]["y"]) for each in placed] == [(5, 0), (1, 1)]
