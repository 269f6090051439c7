"""
Read one page of a list by its keys: stable while rows come and go, and as fast at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import sql

from fleet_control_api.values.paging import parse_cursor, render_cursor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_timescale.connection import Connection

    from fleet_control_api.values.paging import Page, Parse


@dataclass(frozen=True)
class Ordered:
    """Rows in a fixed order."""

    query: LiteralString  # with %(name)s for its parameters
    keys: Mapping[str, Parse]  # the columns of the order; all of them together are unique
    is_newest_first: bool = False


def read_page(
    connection: Connection, rows: Ordered, page: Page, parameters: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the rows of a page and the cursor of the next one, None on the last."""
    columns = [sql.Identifier(key) for key in rows.keys]
    compare, way = ("<", "DESC") if rows.is_newest_first else (">", "ASC")
    after = [] if page.cursor is None else parse_cursor(page.cursor, list(rows.keys.values()))
    marks = {f"after_{number}": key for number, key in enumerate(after)}
    condition = sql.SQL("({}) {} ({})").format(
        sql.SQL(", ").join(columns),
        sql.SQL(compare),
        sql.SQL(", ").join(map(sql.Placeholder, marks)),
    )
    found = connection.execute(
        sql.SQL("SELECT * FROM ({}) AS listed WHERE {} ORDER BY {} LIMIT {}").format(
            sql.SQL(rows.query),
            condition if after else sql.SQL("true"),
            sql.SQL(", ").join(sql.SQL(" ").join((each, sql.SQL(way))) for each in columns),
            page.limit + 1,
        ),
        {**parameters, **marks},
    ).fetchall()
    shown = found[: page.limit]
    if len(found) == len(shown):
        return shown, None
    return shown, render_cursor([shown[-1][key] for key in rows.keys])
