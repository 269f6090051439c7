"""Answers as people read them: tables for lists, lines for one thing."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EMPTY = "-"
TIMES = "_at"  # the ending of columns that hold an instant; `time` is the other


def render_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return a table with a head line, each column as wide as it needs."""
    cells = [[column.replace("_", " ") for column in columns]]
    cells += [[render_value(column, row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in cells]
    return "\n".join(line.rstrip() for line in lines)


def render_fields(row: Mapping[str, Any]) -> str:
    """Return one thing, a line each field."""
    width = max(len(name) for name in row)
    return "\n".join(
        f"{name.replace('_', ' ').ljust(width)}  {render_value(name, value)}"
        for name, value in row.items()
    )


def render_value(name: str, value: Any) -> str:
    """Return a value: times in the reader's own zone, numbers short, nothing as a dash."""
    if value is None or value in ("", {}):
        return EMPTY
    if isinstance(value, dict):
        return ", ".join(f"{count} {key}" for key, count in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str) and (name.endswith(TIMES) or name == "time"):
        return f"{datetime.fromisoformat(value).astimezone():%Y-%m-%d %H:%M:%S}"
    return str(value)
