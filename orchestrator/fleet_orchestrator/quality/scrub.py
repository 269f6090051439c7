"""
Mask the personal values that we invented ourselves.

Known values first, in all the ways they may be written.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

MASK = "[PII]"
_DATE = "%B %d, %Y"


def render_patterns(persona: dict[str, Any]) -> list[str]:
    """Return regular expressions for every personal value of a persona, the longest first."""
    patterns = {
        pattern
        for name in persona["personal"]
        for pattern in render_value_patterns(name, persona["values"][name])
    }
    return sorted(patterns, key=len, reverse=True)


def render_value_patterns(name: str, value: str) -> set[str]:
    """Return the ways in which one personal value may be written."""
    if name.endswith("_name"):
        return {_loose(value), *(_loose(part) for part in value.split())}
    if name == "date_of_birth":
        return {_loose(value), *_date_patterns(value)}
    return {_loose(value), _digits(value), r"[\W_]*".join(re.findall(r"\w", value))}


def mentions(text: str, patterns: set[str]) -> bool:
    """True when the text has a personal value in any of the given ways."""
    return any(
        re.search(rf"(?<!\w){pattern}(?!\w)", text, flags=re.IGNORECASE) for pattern in patterns
    )


def scrub(text: str, persona: dict[str, Any]) -> str:
    """Return the text with every personal value of the persona masked as [PII]."""
    for pattern in render_patterns(persona):
        text = re.sub(rf"(?<!\w){pattern}(?!\w)", MASK, text, flags=re.IGNORECASE)
    return text


def _loose(value: str) -> str:
    """Words in order, whatever spaces or signs stand between and around them."""
    return r"[\W_]{1,3}".join(re.escape(word) for word in re.findall(r"\w+", value))


def _digits(value: str) -> str:
    """The digits of a value, with anything but letters and digits between them."""
    return r"[\W_]*".join(re.findall(r"\d", value))


def _date_patterns(value: str) -> set[str]:
    day = datetime.strptime(value, _DATE)  # noqa: DTZ007 - a birthday has no time zone
    ordinal = rf"0?{day.day}(?:st|nd|rd|th)?"
    month = f"(?:{day:%B}|{day:%b})"
    separator = r"[\W_]{1,3}(?:of[\W_])?"
    return {
        rf"{month}{separator}{ordinal}{separator}{day.year}",
        rf"{ordinal}{separator}{month}{separator}{day.year}",
        rf"{month}{separator}{ordinal}",
        rf"0?{day.month}[/.-]0?{day.day}[/.-](?:{day.year}|{day:%y})",
        rf"0?{day.day}[/.-]0?{day.month}[/.-](?:{day.year}|{day:%y})",
        rf"{day.year}-{day.month:02d}-{day.day:02d}",
        str(day.year),
    }
