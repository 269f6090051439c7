"""The table of the rehearsal of alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_twin.rehearse.table import render_cells, render_seconds, render_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_twin.rehearse.alerts.drill import Row

WIDTHS = (-22, -21, 8, 8, 8, -5, 0)
HEAD = render_cells(("fault", "alert", "to fire", "to mail", "to clear", "", "where"), WIDTHS)


def render_row(row: Row) -> str:
    """Return one line; times are seconds after the fault began, and after it ended."""
    times = (render_seconds(seconds) for seconds in (row.fire, row.mail, row.clear))
    state = render_state(is_miss=row.is_miss)
    return render_cells((row.fault, row.alert, *times, state, row.note), WIDTHS)


def render_end(rows: Sequence[Row], mails: int, doubled: Sequence[str]) -> str:
    """Return the last lines: how many were fired and cleared, which were not, which came twice."""
    missed = sorted({row.alert for row in rows if row.is_miss})
    left_out = sorted({row.alert for row in rows if row.note.startswith("not rehearsed")})
    alerts = {row.alert for row in rows} - set(missed) - set(left_out)
    lines = [
        f"{len(alerts)} alerts fired, were mailed and cleared",
        f"missed: {', '.join(missed) or 'none'}",
        f"not rehearsed: {', '.join(left_out) or 'none'}",
        f"{mails} mails, twice the same: {', '.join(sorted(set(doubled))) or 'none'}",
    ]
    return "\n".join(lines)
