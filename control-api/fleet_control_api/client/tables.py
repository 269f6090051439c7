"""Answers as people read them: tables for lists, lines for one thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from fleet_control_api.client.values import (
    EMPTY,
    find_instant,
    render_age,
    render_instant,
    render_value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

SHORT_ID = 8  # digits of an id on a terminal; commands take them for the whole
IDS = ("job_id", "token_id", "session_id", "silence_id")
GAP = 2  # columns between two
# What may be cut off on a terminal, from its end; all else is shown whole or not at all.
FLEXIBLE = ("description", "reason", "role", "scenario", "summary", "target", "value",
            "value_before", "before", "after", "matchers")  # fmt: skip
FLEXIBLE_MIN = 10
HEADINGS = {
    "eta_p50_at": "eta",
    "tokens_per_second": "tokens/s",
    "throttle_factor": "throttle",
    "last_heartbeat_at": "heartbeat",
    "worker_state": "worker",
    "requested_by": "by",
    "effective_ratio_1d": "effective (1 d)",
    "accepted_1d": "accepted (1 d)",
    "is_disabled": "disabled",
    "has_password": "password",
}
ENDINGS = ("_at", "_id", "_ratio", "_celsius", "_bytes")  # which the values say themselves
STATE_NAMES = ("state", "worker_state", "mode", "outcome")
STYLES = {
    "green": ("online", "running", "done", "accepted", "live", "work"),
    "yellow": ("pending", "paused", "stale", "stopped", "gaming", "throttling", "draining"),
    "red": ("offline", "failed", "refused", "revoked", "stopping"),
    "dim": ("-", "idle", "cancelled", "expired", "ended"),
}
STYLE_OF = {word: style for style, words in STYLES.items() for word in words}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Listing:
    """
    Rows as a table, a line each; the most important columns first.

    People get short ids and the columns that there is room for, programs everything.
    """

    rows: Sequence[Mapping[str, Any]]
    columns: Sequence[str]
    now: datetime = field(default_factory=_now)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table."""
        cells = [[render_value(c, row.get(c), self.now) for c in self.columns] for row in self.rows]
        columns = list(zip(self.columns, *cells, strict=True))
        if console.is_terminal:
            columns = [_shorten(column) for column in columns]
            columns = columns[: count_fitting(list(map(find_width, columns)), options.max_width)]
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
        for name, *_ in columns:
            numbers = [row[name] for row in self.rows if row.get(name) is not None]
            is_number = bool(numbers) and all(type(n) in {int, float} for n in numbers)
            table.add_column(
                render_heading(name),
                justify="right" if is_number or name == "progress" else "left",
                no_wrap=name not in FLEXIBLE,
                min_width=FLEXIBLE_MIN if name in FLEXIBLE and console.is_terminal else None,
            )
        for said in zip(*(column[1:] for column in columns), strict=True):
            table.add_row(*(style_cell(c[0], cell) for c, cell in zip(columns, said, strict=True)))
        yield table
        if not self.rows and console.is_terminal:
            yield Text("none", "dim")


def find_width(column: Sequence[str]) -> int:
    """Return the least width of a column, its name first; what is cut off ends in an ellipsis."""
    name, *cells = column
    width = max(map(cell_len, [render_heading(name), *cells]))
    return FLEXIBLE_MIN if name in FLEXIBLE else width


def count_fitting(widths: Sequence[int], room: int) -> int:
    """Return how many of the first columns fit beside each other; at least one."""
    ends = [end + GAP * index for index, end in enumerate(accumulate(widths))]
    return max(sum(end <= room for end in ends), 1)


def render_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Listing:
    """Return rows as a table with a head line."""
    return Listing(rows, columns)


def render_fields(row: Mapping[str, Any], now: datetime | None = None) -> Table:
    """Return one thing, a line each field; instants both exact and as their distance from now."""
    now = now or _now()
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in row.items():
        said, instant = render_value(name, value, now), find_instant(name, value)
        if instant is not None:
            said = f"{render_instant(instant)} ({render_age(instant, now)})"
        styled = Text(said, style_cell(name, said).style)
        table.add_row(Text(name.replace("_", " "), "bold"), styled)
    return table


def render_heading(column: str) -> str:
    """Return what stands above a column."""
    name = HEADINGS.get(column, column)
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name.replace("_", " ")


def style_cell(name: str, said: str) -> Text:
    """Return a value in one line, in the colour of its state."""
    style = STYLE_OF.get(said, "") if name in STATE_NAMES or said == EMPTY else ""
    return Text(said.replace("\n", " "), style, no_wrap=True, overflow="ellipsis")


def _shorten(column: tuple[str, ...]) -> tuple[str, ...]:
    name, *cells = column
    return (name, *(cell[:SHORT_ID] for cell in cells)) if name in IDS else column
