"""
Buttons: canvas elements whose click asks for a reason, then for consent, then sends one POST.

The POST goes through Grafana's data-source proxy, which signs who clicked; the control API
decides. Each button does one fixed thing. A button whose verb came from the data would change its
meaning under an open question: Grafana words the question anew at each refresh, so that of two
people who pause at the same moment one would end by confirming "resume".
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet_dashboards.datasources import CONTROL_PROXY, Json


@dataclass(frozen=True)
class Button:
    """A control: verb is its route below /buttons of the control API, variant its looks."""

    verb: str
    label: str
    question: str
    variant: str


@dataclass(frozen=True)
class Box:
    """Where an element stands in its canvas, in pixels from the top left."""

    top: int
    left: int
    width: int
    height: int


def action(button: Button) -> Json:
    """Return the request of a button; typed text goes in the query, which needs no quoting."""
    return {
        "type": "fetch",
        "title": button.label,
        "confirmation": button.question,
        "oneClick": True,
        "variables": [{"key": "reason", "name": "Reason", "type": "string"}],
        "fetch": {
            "method": "POST",
            "url": f"{CONTROL_PROXY}/{button.verb}",
            "queryParams": [["reason", "$reason"]],
            "headers": [["Content-Type", "application/json"]],
            "body": "{}",
        },
    }


def element(button: Button, box: Box) -> Json:
    """Return the canvas element of a button."""
    config = {
        "text": {"mode": "fixed", "fixed": button.label},
        "size": 16,
        "align": "center",
        "style": {"variant": button.variant},
    }
    return _element("button", button.verb, box, config) | {"actions": [action(button)]}


def label(field: str, box: Box, *, size: int = 14) -> Json:
    """Return a text element that shows a field of the canvas' query."""
    config = {
        "text": {"mode": "field", "field": field, "fixed": ""},
        "size": size,
        "align": "left",
        "valign": "middle",
        "color": {"fixed": "text"},
    }
    return _element("text", field, box, config)


def _element(kind: str, name: str, box: Box, config: Json) -> Json:
    return {
        "type": kind,
        "name": name,
        "config": config,
        "constraint": {"horizontal": "left", "vertical": "top"},
        "placement": {
            "top": box.top,
            "left": box.left,
            "width": box.width,
            "height": box.height,
            "rotation": 0,
        },
        "background": {"color": {"fixed": "transparent"}},
        "border": {"color": {"fixed": "dark-green"}},
        "links": [],
        "actions": [],
    }
