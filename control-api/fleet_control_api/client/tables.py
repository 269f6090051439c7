"""Answers as people read them: tables for lists, lines for one thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from fleet_control_api.client.values import find_instant, render_age, render_instant, render_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

SHORT_ID = 8  # digits of an id on a terminal; commands take them for the whole
IDS = ("job_id", "token_id", "session_id")
HEADINGS = {
    "eta_p50_at": "eta",
    "tokens_per_second": "tokens/s",
    "throttle_factor": "throttle",
    "last_heartbeat_at": "heartbeat",
    "worker_state": "worker",
    "requested_by": "by",
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
    """Rows as a table, which gives people short ids and programs whole ones."""

    rows: Sequence[Mapping[str, Any]]
    columns: Sequence[str]
    now: datetime = field(default_factory=_now)

    def __rich_console__(self, console: Console, _: ConsoleOptions) -> RenderResult:
        """Yield the table."""
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in self.columns:
            numbers = [row[column] for row in self.rows if row.get(column) is not None]
            is_number = bool(numbers) and all(type(n) in {int, float} for n in numbers)
            table.add_column(
                render_heading(column),
                justify="right" if is_number else "left",
                overflow="fold",
                no_wrap=is_number or _stays_whole(column),
            )
        for row in self.rows:
            cells = {c: render_value(c, row.get(c), self.now) for c in self.columns}
            if console.is_terminal:
                cells |= {name: cells[name][:SHORT_ID] for name in IDS if name in cells}
            table.add_row(*(style_cell(name, cell) for name, cell in cells.items()))
        yield table
        if not self.rows and console.is_terminal:
            yield Text("none", "dim")


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
        table.add_row(Text(name.replace("_", " "), "bold"), style_cell(name, said))
    return table


def render_heading(column: str) -> str:
    """Return what stands above a column."""
    name = HEADINGS.get(column, column)
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name.replace("_", " ")


def style_cell(name: str, said: str) -> Text:
    """Return a value in the colour of its state."""
    return Text(said, STYLE_OF.get(said, "") if name in STATE_NAMES or said == "-" else "")


def _stays_whole(column: str) -> bool:
    """True for what is no longer the same when it is broken into lines."""
    return column.endswith(("_at", "_id")) or column in {*STATE_NAMES, "time", "node", "progress"}
