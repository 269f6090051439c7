"""Pages of lists: how many rows, after which one, and how the next page is asked for."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.fields import Answer, Limit, Request

CURSOR_MAX = 500  # characters
Cursor = Annotated[str, Field(min_length=1, max_length=CURSOR_MAX, pattern=r"^[A-Za-z0-9_-]+$")]

Key = str | int | datetime | UUID
Parse = Callable[[str], Key]


class Page(Request):
    """Which rows of a list; a list by itself begins with the first."""

    limit: Limit = Field(100, description="At most so many.")
    cursor: Cursor | None = Field(None, description="next_cursor of the page before.")


class Listing(Answer):
    """One page of a list."""

    next_cursor: str | None = Field(description="The cursor of the next page; null on the last.")


def render_cursor(keys: Sequence[Key]) -> str:
    """Return the text that stands for the last row of a page."""
    texts = [key.isoformat() if isinstance(key, datetime) else str(key) for key in keys]
    return base64.urlsafe_b64encode(json.dumps(texts).encode()).decode().rstrip("=")


def parse_cursor(cursor: str, parsers: Sequence[Parse]) -> list[Key]:
    """Return the keys of the row. Raises NotFoundError for what is no cursor of this list."""
    try:
        texts: Any = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return [parse(text) for parse, text in zip(parsers, texts, strict=True)]
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise NotFoundError(
            f"there is no page {cursor}", remedy="Send next_cursor of the page before, or none."
        ) from exc


def parse_name(text: str) -> str:
    """Return a name. Raises ValueError for what no name has, such as NUL."""
    if not text.isprintable():
        raise ValueError("not printable")
    return text


def parse_number(text: str) -> int:
    """Return a number that PostgreSQL's bigint holds. Raises ValueError."""
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError("too large")
    return number


def parse_time(text: str) -> datetime:
    """Return an instant. Raises ValueError for one without a zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("no zone")
    return time
