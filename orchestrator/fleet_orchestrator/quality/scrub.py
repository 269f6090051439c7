"""
Mask the personal values that we invented ourselves, in all the ways in which they may be written.

A value is found whatever its case, accents and the signs between its parts, never inside a word.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from typing import Any

from fleet_orchestrator.quality.spoken import render_day, render_digits, render_year

MASK = "[PII]"
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
SEPTEMBER = 9  # also written Sept
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
        parts = value.split()
        names = [value, *parts]
        return {*map(_name, names), *map(_spelled, parts)}
    if name == "date_of_birth":
        return {_loose(value), *_date_patterns(value)}
    if name == "phone_number":
        return {rf"[+(]*(?:1[\W_]*)?{_digits(value)}", *_number_patterns(value, 10, 7, 4)}
    return {r"[\W_]*".join(re.findall(r"\w", value)), *_number_patterns(value, 6, 4)}


def mentions(text: str, patterns: set[str]) -> bool:
    """True when the text has a personal value in any of the given ways."""
    plain = _plain(text)
    return any(_whole(pattern).search(plain) for pattern in patterns)


def scrub(text: str, persona: dict[str, Any]) -> str:
    """Return the text with every personal value of the persona masked as [PII]."""
    text = EMAIL.sub(MASK, unicodedata.normalize("NFC", text))
    for pattern in render_patterns(persona):
        for found in reversed(list(_whole(pattern).finditer(_plain(text)))):
            text = text[: found.start()] + MASK + text[found.end() :]
    return text


def _plain(text: str) -> str:
    """Return the text without accents, each letter in its place."""
    return "".join(unicodedata.normalize("NFD", sign)[0] for sign in text)


def _whole(pattern: str) -> re.Pattern[str]:
    """Match the pattern where it is no part of a word; _ is a sign here, as in _name_."""
    return re.compile(rf"(?<![^\W_]){pattern}(?![^\W_])", re.IGNORECASE)


def _loose(value: str) -> str:
    """Words in order, whatever spaces or signs stand between and around them."""
    return r"[\W_]{1,3}".join(re.escape(word) for word in re.findall(r"\w+", value))


def _name(value: str) -> str:
    """A name, its parts also glued together, its possessive and its plural."""
    return r"[\W_]{0,3}".join(map(re.escape, value.split())) + "(?:['\u2019]?s|es)?"


def _number_patterns(value: str, *lengths: int) -> set[str]:
    """The last digits of a number, written and spoken, in the lengths that people use."""
    digits = "".join(re.findall(r"\d", value))
    ends = [digits[-length:] for length in lengths]
    return {*map(_digits, ends), *map(render_digits, ends)}


def _spelled(value: str) -> str:
    """The letters of a value, one by one."""
    return r"[\W_]+".join(value)


def _digits(value: str) -> str:
    """The digits of a value, with anything but letters and digits between them."""
    return r"[\W_]*".join(re.findall(r"\d", value))


def _date_patterns(value: str) -> set[str]:
    day = datetime.strptime(value, _DATE)  # noqa: DTZ007 - a birthday has no time zone
    ordinal = rf"0?{day.day}(?:st|nd|rd|th)?"
    month = f"(?:{day:%B}|{day:%b}{'t?' if day.month == SEPTEMBER else ''})"
    separator = r"[\W_]{1,3}(?:(?:of|the)[\W_])?"
    spoken_day, spoken_year = render_day(day.day), render_year(day.year)
    return {
        rf"{month}{separator}{spoken_day}(?:{separator}{spoken_year})?",
        rf"{spoken_day}{separator}{month}(?:{separator}{spoken_year})?",
        spoken_year,
        rf"0?{day.month}/0?{day.day}",
        rf"{month}{separator}{ordinal}{separator}{day.year}",
        rf"{ordinal}{separator}{month}{separator}{day.year}",
        rf"{month}{separator}{ordinal}",
        rf"{ordinal}{separator}{month}",
        rf"0?{day.month}[/.-]0?{day.day}[/.-](?:{day.year}|{day:%y})",
        rf"0?{day.day}[/.-]0?{day.month}[/.-](?:{day.year}|{day:%y})",
        rf"{day.year}[/.-]0?{day.month}[/.-]0?{day.day}",
        str(day.year),
    }
