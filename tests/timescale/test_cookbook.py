"""Every query of the guide and its cookbook gives the rows below it, on both engines."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from fix_postgres import copy_database
from fleet_timescale.migrate import ROOT

sys.path.insert(0, str(Path(__file__).parent))

import timescaledb
from cookbook import PAGES, SET_CLOCK, ask, load_fleet, read_clock, read_recipes, render_table
from scenario import prepare

GUIDE = PAGES[0].read_text()
RECIPES = [recipe for page in PAGES for recipe in read_recipes(page.read_text())]
DASHBOARDS = ROOT.parent / "grafana/dashboards"
# Views that have a row for each reading, call, turn or conversation.
LONG = re.compile(
    r"FROM analytics\.(?:\w+_1[mh]|hardware|gpu|disks|network|temperatures|llm_requests|events|"
    r"conversations|rejections|turn_tries|task_failures|audit|alerts)\b"
)
PANEL = r"^### (.+)\n(?:(?!#|```).*\n)*```promql\n(.+)\n```"
recipes = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)


@pytest.fixture(scope="module")
def postgresql(database_template):
    """An analyst's connection to the fleet on plain PostgreSQL, and the date there."""
    with copy_database(database_template) as copy:
        with copy.connect() as owner:
            prepare(owner)
            load_fleet(owner)
            hours, today = read_clock(owner)
        with copy.connect("fleet_analyst") as analyst:
            analyst.execute(SET_CLOCK.format(hours))
            yield analyst, today


@pytest.fixture(scope="module")
def pglite(tmp_path_factory):
    """The same on TimescaleDB, which has one connection only."""
    with timescaledb.pglite(tmp_path_factory.mktemp("scripts")) as connection:
        connection.execute("DELETE FROM telemetry.temperatures")  # see timescaledb.BEFORE
        prepare(connection)
        load_fleet(connection)
        hours, today = read_clock(connection)
        connection.execute("SET SESSION AUTHORIZATION fleet_analyst")
        connection.execute(SET_CLOCK.format(hours))
        yield connection, today


@recipes
def test_query_gives_its_rows_on_postgresql(recipe, postgresql):
    """As fleet_analyst, who can read nothing but analytics."""
    analyst, today = postgresql

    assert render_table(ask(analyst, recipe.sql), today) == recipe.lines


@recipes
def test_query_gives_its_rows_on_timescaledb(recipe, pglite):
    """Continuous aggregates and hypertables give the same."""
    analyst, today = pglite

    assert render_table(ask(analyst, recipe.sql), today) == recipe.lines


@recipes
def test_query_names_its_span(recipe):
    """What reads a long view says of which time, or which conversation or job."""
    is_bounded = re.search(r"(time|_at) >=? |_id = |WHERE actor = ", recipe.sql)

    assert is_bounded or not LONG.search(recipe.sql)


def test_every_query_has_a_title_and_rows():
    """No block is left out of the tests: each has a heading of its own and a table."""
    assert len(RECIPES) == sum(page.read_text().count("```sql\n") for page in PAGES) >= 25
    assert len({recipe.title for recipe in RECIPES}) == len(RECIPES)
    assert [recipe.title for recipe in RECIPES if len(recipe.lines) < 3] == []


def test_promql_is_that_of_the_panels():
    """What stands beside SQL is what the dashboards ask, under the title of the panel."""
    asked = {
        (panel["title"], target["expr"])
        for path in DASHBOARDS.glob("*.json")
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets", [])
        if "expr" in target
    }
    told = re.findall(PANEL, GUIDE, re.MULTILINE)

    assert len(told) == GUIDE.count("```promql\n") > 0
    assert set(told) - asked == set()


def test_guide_names_every_view(postgresql):
    """An analyst finds each view of the database in the guide."""
    analyst, _ = postgresql
    names = "SELECT viewname FROM pg_views WHERE schemaname = 'analytics' ORDER BY 1"
    rollups = re.compile(r"_1[mh]$")
    views = {rollups.sub("", row[0]) for row in ask(analyst, names)[1:]}

    assert [view for view in sorted(views) if not re.search(rf"\b{view}(_1h)?\b", GUIDE)] == []
