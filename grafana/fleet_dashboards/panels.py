"""
Core panels as Grafana's classic JSON: one function a panel type, one dataclass for what all share.

Positions are given by `layout`, data by `datasources`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_dashboards.datasources import Json

GREY = "#8e8e8e"
PLUGIN_VERSION = "12.4.0"  # older numbers make Grafana migrate the panel


@dataclass(frozen=True)
class Head:
    """What every panel says of itself; number is fixed for life, since links and tests use it."""

    number: int
    title: str
    description: str
    unit: str
    missing: str = "nothing to show"  # instead of "No data"; also seen when a query fails


def _panel(kind: str, head: Head, targets: Sequence[Json], options: Json, **field: Any) -> Json:
    overrides = field.pop("overrides", [])
    transformations = field.pop("transformations", [])
    return {
        "id": head.number,
        "type": kind,
        "title": head.title,
        "description": head.description,
        "pluginVersion": PLUGIN_VERSION,
        "datasource": targets[0]["datasource"],
        "targets": list(targets),
        "transformations": list(transformations),
        "fieldConfig": {
            "defaults": {"unit": head.unit, "noValue": head.missing, **field},
            "overrides": list(overrides),
        },
        "options": options,
    }


def thresholds(base: str, *steps: tuple[float, str]) -> Json:
    """Return colours from the lowest value up; each step begins at its number."""
    return {
        "mode": "absolute",
        "steps": [
            {"color": base, "value": None},
            *({"color": color, "value": value} for value, color in steps),
        ],
    }


def words(**looks: tuple[str, str]) -> list[Json]:
    """Return a mapping of exact values to (text, colour)."""
    return [
        {
            "type": "value",
            "options": {
                value: {"index": index, "text": text, "color": color}
                for index, (value, (text, color)) in enumerate(looks.items())
            },
        }
    ]


def matching(pattern: str, color: str) -> Json:
    """Return the mapping that gives texts like a pattern a colour, and leaves their words."""
    return {"type": "regex", "options": {"pattern": pattern, "result": {"color": color}}}


def absent(text: str) -> list[Json]:
    """Return a mapping of no value to a grey text: absence must not have a low value's green."""
    result = {"index": 0, "text": text, "color": GREY}
    return [{"type": "special", "options": {"match": "null+nan", "result": result}}]


def columns(**names: str) -> Json:
    """
    Return the change of a Prometheus table into these columns, in this order.

    A key is a label, or Value for the figure (Value_A, Value_B where there are two).
    """
    keys = [key.replace("Value_", "Value #") for key in names]
    return {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True},
            "indexByName": {key: place for place, key in enumerate(keys)},
            "renameByName": dict(zip(keys, names.values(), strict=True)),
        },
    }


def sorted_by(column: str) -> Json:
    """Return the change that sorts the rows of a Prometheus table."""
    return {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": column, "desc": False}]}}


MERGED: Json = {"id": "merge", "options": {}}  # rows of several queries with the same labels


# Looks of table cells.
COLOURED = {"type": "color-text"}
FILLED = {"type": "color-background"}
GAUGE = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}


# What Head.missing says is meant for a table without rows; Grafana would also write it into cells.
EMPTY_CELLS: Json = {
    "matcher": {"id": "byRegexp", "options": "/.*/"},
    "properties": [{"id": "noValue", "value": "-"}],
}
HIDDEN = {"custom__hideFrom__viz": True}  # links and buttons may still name the column
AGO = {"unit": "dateTimeFromNow", "custom__width": 132}  # "a few seconds ago" fits
LONG = {"custom__inspect": True, "custom__wrapText": True}  # all of a text can be read


def override(name: str, **properties: Any) -> Json:
    """
    Return how one column or series differs; a double underscore in a key stands for a dot.

    `custom__width=80` becomes the property custom.width.
    """
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": key.replace("__", "."), "value": value} for key, value in properties.items()
        ],
    }


def share_bar(name: str, colours: Json, **looks: Any) -> Json:
    """Return the override of a column of shares (0 to 1): a bar beside the per cent."""
    looks = {"unit": "percentunit", "decimals": 0, "min": 0, "max": 1} | looks
    return override(name, **looks, custom__cellOptions=GAUGE, thresholds=colours)


def _reduce(*, fields: str) -> Json:
    return {"calcs": ["lastNotNull"], "fields": fields, "values": False}


def stat(
    head: Head, *targets: Json, fields: str = "", color: str = "value", text: str = "", **field: Any
) -> Json:
    """
    Return big figures; fields is a regular expression of field names, empty for all numbers.

    text: value_and_name shows the name of a series also where it is the only one.
    orientation: horizontal puts the figures below each other; title_pixels is the size of their
    names, which Grafana else makes very small there.
    """
    options = {
        "reduceOptions": _reduce(fields=fields),
        "colorMode": color,
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": field.pop("orientation", "auto"),
        "textMode": text or ("auto" if color == "value" else "value"),
        "wideLayout": False,  # beside its name a value gets a third of the width
    }
    if title_pixels := field.pop("title_pixels", None):
        options["text"] = {"titleSize": title_pixels}
    return _panel("stat", head, targets, options, **field)


def tile(head: Head, query: Json, column: str, mappings: list[Json]) -> Json:
    """Return a state in words on its colour, to be read from across the room; grey if unknown."""
    return stat(
        head,
        query,
        fields=f"/^{column}$/",
        color="background",
        mappings=mappings,
        thresholds=thresholds("#5a5a5a"),
    )


def lines(head: Head, *targets: Json, legend: str = "bottom", **field: Any) -> Json:
    """Return lines over time; the legend has the last value, at the right the maximum too."""
    is_table = legend == "right"
    fill = 0 if is_table else 8  # of many lines each would cover the others
    custom = {"lineWidth": 2, "fillOpacity": fill, "showPoints": "auto", "spanNulls": 60_000}
    custom |= field.pop("custom", {})
    options = {
        "legend": {
            "showLegend": True,
            "displayMode": "table" if is_table else "list",
            "placement": legend,
            "calcs": ["lastNotNull", "max"] if is_table else ["lastNotNull"],
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    field.setdefault("color", {"mode": "palette-classic"})
    return _panel("timeseries", head, targets, options, custom=custom, **field)


def table(head: Head, *targets: Json, lines_max: int = 2, **field: Any) -> Json:
    """
    Return a table; overrides say how single columns look.

    What does not fit is on further pages: a scroll bar within a page that scrolls is hard to use.
    A row has `lines_max` lines at most (else one long text would leave a row a page); the whole of
    a longer text of a column with LONG is seen by pointing at it.
    """
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "minWidth": 70}
    options = {
        "showHeader": True,
        "cellHeight": "sm",
        "enablePagination": True,
        "maxRowHeight": 12 + 22 * lines_max,  # pixels
    }
    overrides = [EMPTY_CELLS, *field.pop("overrides", [])]
    return _panel("table", head, targets, options, custom=custom, overrides=overrides, **field)


def timeline(head: Head, *targets: Json, **field: Any) -> Json:
    """Return states over time; no buttons here: Grafana would let Viewers press them."""
    custom = {"fillOpacity": 80, "lineWidth": 0} | field.pop("custom", {})
    options = {
        "mergeValues": True,
        "showValue": "auto",
        "alignValue": "left",
        "rowHeight": 0.9,
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return _panel("state-timeline", head, targets, options, custom=custom, **field)


def canvas(head: Head, *targets: Json, elements: Sequence[Json]) -> Json:
    """Return a drawing of elements; its query has one row, which element texts may name."""
    options = {
        "inlineEditing": False,  # while it is on, clicks select instead of acting
        "showAdvancedTypes": True,
        "panZoom": False,
        "zoomToContent": False,
        "tooltip": {"mode": "none"},
        "root": {"type": "frame", "name": "root", "elements": list(elements)},
    }
    return _panel("canvas", head, targets, options)
