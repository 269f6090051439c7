"""One value of an answer as people read it: its unit comes from the ending of its name."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

EMPTY = "-"
INSTANT = "%Y-%m-%d %H:%M:%S"
EXACT = ("time", "valid_from")  # instants of a record, which people compare to the second
AGES = ((86400, "d", 60), (3600, "h", 48), (60, "min", 90), (1, "s", 90))  # seconds, unit, most
# What could move the cursor or colour the terminal, in a text that somebody else wrote.
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def render_value(name: str, value: Any, now: datetime) -> str:
    """Return a value: an instant as its distance from now, a number short, nothing as a dash."""
    if value is None or value in ("", {}, []):
        return EMPTY
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return render_number(name, value)
    instant = find_instant(name, value)
    if instant is None:
        return render_text(value)
    return render_instant(instant) if name in EXACT else render_age(instant, now)


def render_text(value: Any) -> str:
    """Return a text, a list or a dictionary of counts."""
    if isinstance(value, dict):
        return clean(", ".join(f"{count} {key}" for key, count in value.items()))
    if isinstance(value, list):
        return clean(", ".join(map(str, value)))
    return clean(str(value))


def render_number(name: str, value: float) -> str:
    """Return a number with the unit that its name ends in."""
    if "_ratio" in name:
        return f"{value:.0%}".replace("%", " %")
    if name.endswith("_bytes"):
        return f"{value / 1e9:.1f} GB" if value >= 1e9 else f"{value / 1e6:.1f} MB"
    if name.endswith("_celsius"):
        return f"{value:.0f} °C"
    if isinstance(value, int) or value.is_integer():
        return f"{value:.0f}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def find_instant(name: str, value: Any) -> datetime | None:
    """Return the instant that a value stands for, if its name says that it does."""
    if not isinstance(value, str) or not (name.endswith("_at") or name in EXACT):
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def render_instant(instant: datetime) -> str:
    """Return an instant in the reader's own zone."""
    return f"{instant.astimezone():{INSTANT}}"


def render_age(instant: datetime, now: datetime) -> str:
    """Return how far an instant is from now: in 12 min, 3 s ago; the day, beyond two months."""
    seconds = (instant - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    said = render_duration(abs(seconds))
    if said is None:
        return f"{instant.astimezone():%Y-%m-%d}"
    return f"in {said}" if seconds > 0 else f"{said} ago"


def render_duration(seconds: float) -> str | None:
    """Return a duration in the largest unit that still tells it well; None beyond two months."""
    for size, unit, most in reversed(AGES):
        if seconds < size * most:
            return f"{seconds / size:.0f} {unit}"
    return None


def clean(text: str) -> str:
    """Return a text without what a terminal would obey; line breaks stay."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
