"""Rules that each committed dashboard keeps, since Grafana loads a mistyped file without a word."""

from __future__ import annotations

import itertools
import json
import re

from fleet_dashboards import datasources, looks

CORE_PANELS = {
    "barchart", "bargauge", "canvas", "heatmap", "nodeGraph", "stat", "state-timeline",
    "status-history", "table", "text", "timeseries",
}  # fmt: skip
FIELD = r"\$\{__data\.fields\.\w+\}"  # of the row that a button stands in
UIDS = {"fleet-prometheus", "fleet-postgres"}  # fleet-control carries buttons, never a query


def actions(panel):
    """All actions of a panel, wherever they may hang."""
    elements = panel["options"].get("root", {}).get("elements", [])
    overrides = panel["fieldConfig"]["overrides"]
    properties = [each for override in overrides for each in override["properties"]]
    in_overrides = [each["value"] for each in properties if each["id"] == "actions"]
    in_defaults = panel["fieldConfig"]["defaults"].get("actions", [])
    in_elements = [element["actions"] for element in elements]
    return list(itertools.chain(in_defaults, *in_overrides, *in_elements))


def test_header(dashboard):
    """Grafana 12.3 to 13 read this schema; an editable dashboard keeps its buttons."""
    assert dashboard["schemaVersion"] == 42
    assert dashboard["editable"] is True
    assert "do not edit" in dashboard["description"]
    assert "fleet" in dashboard["tags"]


def test_numbers_and_letters_are_unique(dashboard):
    """Panels have ids of their own, and the queries of one panel letters of their own."""
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    for panel in dashboard["panels"]:
        letters = [target["refId"] for target in panel["targets"]]
        assert len(letters) == len(set(letters)) > 0, panel["title"]


def test_no_two_panels_overlap(dashboard):
    """Each cell of the 24 columns belongs to one panel at most."""
    taken = {}
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        assert at["x"] >= 0
        assert at["x"] + at["w"] <= 24
        columns = range(at["x"], at["x"] + at["w"])
        for cell in itertools.product(columns, range(at["y"], at["y"] + at["h"])):
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            taken[cell] = panel["title"]


def test_panels_are_core_and_say_what_they_show(dashboard):
    """No plugin is needed; each panel has a title, a source to reproduce it from, and a unit."""
    for panel in dashboard["panels"]:
        assert panel["type"] in CORE_PANELS
        assert panel["title"]
        assert "Source: " in panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_absence_is_told(dashboard):
    """No panel says only "No data" where there is nothing to show."""
    for panel in dashboard["panels"]:
        assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]


def test_every_query_names_a_provisioned_source(dashboard):
    """By uid, since names and defaults may differ from one Grafana to the next."""
    for panel in dashboard["panels"]:
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {source["uid"] for source in sources} <= UIDS, panel["title"]
        assert all(source["type"] for source in sources)


def test_series_have_names(dashboard):
    """A series without a legend would show as its labels in braces."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            if target["datasource"] == datasources.PROMETHEUS and target.get("format") != "table":
                assert target["legendFormat"], panel["title"]


def test_counters_are_read_as_rates(dashboard):
    """A counter's own value says only how long ago it began."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            for counter in re.findall(r"\w+\([^()]*_total\b", target.get("expr", "")):
                assert re.match(r"(rate|irate|increase)\(", counter), target["expr"]


def test_heat_has_the_bands_that_were_asked_for(panels_of):
    """Green below 70, yellow from 70 up to 80 itself, red above; the hottest counts."""
    panel = panels_of("fleet-overview")["Temperatures"]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    at_eighty = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]

    assert [(step["color"], step["value"]) for step in steps] == [
        ("green", None),
        ("yellow", 70),
        ("red", 80),
    ]
    assert (
        at_eighty["from"],
        at_eighty["to"],
        at_eighty["result"]["color"],
    ) == (80, 80, "yellow")
    for target in panel["targets"]:
        assert re.match(r"max by .*max_over_time", target["expr"])


def test_nodes_have_the_same_bands(panels_of):
    """A machine has one colour, whichever panel shows it."""
    overrides = panels_of("fleet-overview")["Nodes"]["fieldConfig"]["overrides"]
    bands = {
        override["matcher"]["options"]: prop["value"]
        for override in overrides
        for prop in override["properties"]
        if prop["id"] == "thresholds"
    }

    assert looks.HEAT == bands["CPU temp."] == bands["GPU temp."]


def test_actions_are_posts_to_the_control_api(dashboard):
    """Only POST, only through the one allow-listed door, never at a single click."""
    for panel in dashboard["panels"]:
        for action in actions(panel):
            fetch = action["fetch"]
            assert action["type"] == "fetch"
            assert fetch["method"] == "POST"
            assert re.fullmatch(re.escape(datasources.CONTROL_PROXY) + "/[a-z-]+", fetch["url"])
            assert len(action["confirmation"]) > 40, "the question names what will happen"
            said = action["confirmation"] + action["title"]
            variables = [f"${{{each['name']}}}" for each in dashboard["templating"]["list"]]
            for known in (FIELD, *map(re.escape, variables), r"\$\{\w+:(csv|text)\}"):
                said = re.sub(known, "", said)
            assert "$" not in said


def test_a_button_of_a_row_names_it(dashboard):
    """Rows move under an open question: it must say which one it means, by its id or name."""
    for panel in dashboard["panels"]:
        if panel["type"] == "table":
            for action in actions(panel):
                assert re.search(FIELD, action["confirmation"]), panel["title"]


def test_rows_with_buttons_keep_their_order(dashboard):
    """A table with buttons is sorted by SQL, and its page does not refresh faster than 5 s."""
    for panel in dashboard["panels"]:
        if panel["type"] == "table" and actions(panel):
            assert "ORDER BY" in panel["targets"][0]["rawSql"], panel["title"]


def test_typed_text_travels_in_the_query(dashboard):
    """A body is quoted by nobody, so that it is constant; `$key` is filled in, `${key}` is not."""
    for panel in dashboard["panels"]:
        for action in actions(panel):
            fetch = action["fetch"]
            keys = {f"${variable['key']}" for variable in action["variables"]}
            assert "$" not in fetch["body"] + fetch["url"]
            filled = [value for _, value in fetch["queryParams"] if not value.startswith("${")]
            assert keys == {value for value in filled if value.startswith("$")}


def test_buttons_hold_no_secret_and_work_at_a_click(dashboard):
    """Viewers can read the JSON; a canvas that is being edited swallows clicks."""
    for panel in dashboard["panels"]:
        for action in actions(panel):
            assert action["fetch"]["headers"] == [["Content-Type", "application/json"]]
            assert not re.search(r"secret|passw|token|bearer", json.dumps(action), re.IGNORECASE)
        if panel["type"] == "canvas":
            assert panel["options"]["inlineEditing"] is False
            assert '"api"' not in json.dumps(panel), "the old way: no question, no permission"


def test_actions_hang_where_viewers_cannot_use_them(dashboard):
    """Grafana 12 lets Viewers use those of state timelines and status histories."""
    holders = {panel["type"] for panel in dashboard["panels"] if actions(panel)}

    assert holders <= {"canvas", "table"}
