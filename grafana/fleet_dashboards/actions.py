"""
Buttons: a click asks for a reason, then for consent, then sends one POST.

They stand on a canvas, or in a column of a table, one set a row. The POST goes through Grafana's
data-source proxy, which signs who clicked; the control API decides. Each button does one fixed
thing. A button whose verb came from the data would change its meaning under an open question:
Grafana words the question anew at each refresh, so that of two people who pause at the same moment
one would end by confirming "resume".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_dashboards.datasources import CONTROL_PROXY, Json
from fleet_dashboards.panels import override

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = {"destructive": "#c4162a", "success": "#37872d", "primary": "#1f60c4",
           "secondary": "#5a5a5a"}  # fmt: skip
REASON = ("reason", "Reason")


@dataclass(frozen=True)
class Button:
    """
    A control: verb is its route below /buttons of the control API, variant its looks.

    `arguments` go along as they are: constants, `field(…)` of the row, or `${variable}` of the
    dashboard. `prompts` (key, label) are asked for; each is an argument of its key.
    """

    verb: str
    label: str
    question: str
    variant: str
    arguments: Sequence[tuple[str, str]] = ()
    prompts: Sequence[tuple[str, str]] = (REASON,)


@dataclass(frozen=True)
class Box:
    """Where an element stands in its canvas, in pixels from the top left."""

    top: int
    left: int
    width: int
    height: int


def field(name: str) -> str:
    """
    Return what a button or a link writes for a column of its row.

    It is the displayed text: take a column without unit or mapping, such as a hidden id.
    """
    return f"${{__data.fields.{name}}}"


def action(button: Button, *, one_click: bool) -> Json:
    """Return the request of a button; values go in the query, which needs no quoting."""
    prompts = [(key, f"${key}") for key, _ in button.prompts]
    return {
        "type": "fetch",
        "title": button.label,
        "confirmation": button.question,
        "oneClick": one_click,
        "style": {"backgroundColor": COLOURS[button.variant]},
        "variables": [{"key": key, "name": name, "type": "string"} for key, name in button.prompts],
        "fetch": {
            "method": "POST",
            "url": f"{CONTROL_PROXY}/{button.verb}",
            "queryParams": [list(pair) for pair in [*button.arguments, *prompts]],
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
    return _element("button", button.label, box, config) | {
        "actions": [action(button, one_click=True)]
    }


def elements_in_line(buttons: Sequence[Button], *, top: int, height: int) -> list[Json]:
    """Return the canvas elements of buttons side by side, each as wide as its label."""
    placed, left = [], 8
    for button in buttons:
        width = 50 + 9 * len(button.label)
        placed.append(element(button, Box(top=top, left=left, width=width, height=height)))
        left += width + 8
    return placed


def buttons_column(name: str, width: int, *buttons: Button) -> Json:
    """Return the override that fills a column (SQL: `'' AS "NAME"`) with buttons of each row."""
    return override(
        name,
        custom__cellOptions={"type": "actions"},
        custom__width=width,
        custom__filterable=False,
        actions=[action(button, one_click=False) for button in buttons],
    )


def label(name: str, box: Box, *, size: int = 14) -> Json:
    """Return a text element that shows a field of the canvas' query."""
    config = {
        "text": {"mode": "field", "field": name, "fixed": ""},
        "size": size,
        "align": "left",
        "valign": "middle",
        "color": {"fixed": "text"},
    }
    return _element("text", name, box, config)


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
