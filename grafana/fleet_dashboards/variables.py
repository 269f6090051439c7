"""
Variables of a dashboard: what a person picks or types at its top.

In SQL write `${name:sqlstring}`, which is quoted; in PromQL `$name`, in the query string of a
button `${name}`, or `${name:csv}` where several may be picked.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fleet_dashboards.datasources import POSTGRES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_dashboards.datasources import Json


def picked(name: str, label: str, sql: str, *, several: bool = False, once: bool = False) -> Json:
    """
    Return a list of values from SQL (columns __text and __value, or one column).

    It is read anew at each refresh of the page, and a value that it lacks gives way to the first.
    With `once` it is read when the page opens: a link may bring a value that is not in the list.
    """
    query = textwrap.dedent(sql).strip()
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": POSTGRES,
        "query": query,
        "definition": query,
        "refresh": 1 if once else 2,
        "sort": 0,
        "multi": several,
        "includeAll": False,
        "regex": "",
        "hide": 0,
        "skipUrlSync": False,
        "options": [],
        "current": {},
    }


def typed(name: str, label: str, default: str = "") -> Json:
    """Return a field for text or a number."""
    current = {"text": default, "value": default, "selected": True}
    return {
        "type": "textbox",
        "name": name,
        "label": label,
        "query": default,
        "hide": 0,
        "skipUrlSync": False,
        "options": [current],
        "current": current,
    }


def chosen(name: str, label: str, values: Sequence[str] | Mapping[str, str]) -> Json:
    """Return a list of fixed values, or of words with the value of each; the first is preset."""
    pairs = list(
        values.items() if isinstance(values, Mapping) else zip(values, values, strict=True)
    )
    options = [
        {"text": text, "value": value, "selected": number == 0}
        for number, (text, value) in enumerate(pairs)
    ]
    return {
        "type": "custom",
        "name": name,
        "label": label,
        "query": ",".join(text if text == value else f"{text} : {value}" for text, value in pairs),
        "multi": False,
        "includeAll": False,
        "hide": 0,
        "skipUrlSync": False,
        "options": options,
        "current": options[0],
    }


def id_in(name: str) -> str:
    """Return the SQL of the id that a variable holds: NULL for what is none, and no error."""
    held = f"trim(${{{name}:sqlstring}})"
    return (
        f"(CASE WHEN {held} ~* '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$' "
        f"THEN {held} END)::uuid"
    )
