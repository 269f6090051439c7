"""The table of a rehearsal, a line as soon as it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_twin.rehearse.play import Row

HEAD = f"{'step':<18}{'seen in':<9}{'seconds':>8}{'within':>8}  {'':<5} expected"


def render_row(row: Row) -> str:
    """Return one line."""
    seconds = "-" if row.seconds is None else f"{row.seconds:.1f}"
    state = "MISS" if row.is_miss else "ok"
    return (
        f"{row.step:<18}{row.where:<9}{seconds:>8}{row.within_seconds:>8g}  {state:<5} "
        f"{row.expected}"
    )


def render_end(rows: Sequence[Row]) -> str:
    """Return the last line: how many were seen, and which steps have a miss."""
    missed = sorted({row.step for row in rows if row.is_miss})
    seen = sum(not row.is_miss for row in rows)
    said = f"{seen} of {len(rows)} seen in time"
    return f"{said}; missed in {', '.join(missed)}" if missed else said
