"""Pieces of words, about as many as a tokeniser makes of English. Pure."""

from __future__ import annotations

import re

TOKEN = re.compile(r" ?\w{1,6}| ?[^\w\s]|\s+")


def split_tokens(text: str) -> list[str]:
    """Return the tokens of a text; joined they are the text again."""
    return TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """Return how many tokens a text has."""
    return len(TOKEN.findall(text))


def find_common(one: str, other: str) -> str:
    """Return what two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return one[:low]
