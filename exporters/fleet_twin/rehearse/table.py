"""The table of a rehearsal, a line as soon as it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_twin.rehearse.play import Row

WIDTHS = (-18, -9, 8, 8, -5, 0)


def render_cells(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return a line of cells so many characters wide; to the left where that is below 0."""
    padded = [
        cell.rjust(width) if width > 0 else cell.ljust(-width)
        for cell, width in zip(cells, widths, strict=True)
    ]
    return " ".join(padded).rstrip()


def render_seconds(seconds: float | None) -> str:
    """Return seconds; a dash where it was not seen."""
    return "-" if seconds is None else f"{seconds:.1f}"


def render_state(*, is_miss: bool) -> str:
    """Return the word that says whether it was seen in its time."""
    return "MISS" if is_miss else "ok"


HEAD = render_cells(("step", "seen in", "seconds", "within", "", "expected"), WIDTHS)


def render_row(row: Row) -> str:
    """Return one line."""
    seconds, state = render_seconds(row.seconds), render_state(is_miss=row.is_miss)
    within = f"{row.within_seconds:g}"
    return render_cells((row.step, row.where, seconds, within, state, row.expected), WIDTHS)


def render_end(rows: Sequence[Row]) -> str:
    """Return the last line: how many were seen, and which steps have a miss."""
    missed = sorted({row.step for row in rows if row.is_miss})
    seen = sum(not row.is_miss for row in rows)
    said = f"{seen} of {len(rows)} seen in time"
    return f"{said}; missed in {', '.join(missed)}" if missed else said
