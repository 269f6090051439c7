"""
How much two conversations have in common: words, their numbers, and Jaccard. Pure.

The similarity of two conversations is the Jaccard index of their words, each with its speaker and
counted as often as it is said: 1 where both say the same words, whatever their order.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

Turn = tuple[str, list[str]]  # who speaks, and the words


def read_turns(speakers: Sequence[str], texts: Sequence[str]) -> list[Turn]:
    """Return the words of each turn without case, punctuation and forms of letters."""
    return [
        (speaker, re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))
        for speaker, text in zip(speakers, texts, strict=True)
    ]


def number_words(turns: list[Turn]) -> set[int]:
    """Return a number for each word, its speaker, and the how many-eth time they say it."""
    said: Counter[tuple[str, str]] = Counter()
    numbers = set()
    for speaker, words in turns:
        for word in words:
            said[speaker, word] += 1
            numbers.add(number(f"{speaker} {word} {said[speaker, word]}".encode()))
    return numbers


def read_shingles(turns: list[Turn], size: int) -> Iterator[bytes]:
    """
    Yield each run of `size` words with its speaker; of a shorter turn, all words.

    None reaches over the end of a turn, so that other orders of turns have the same ones.
    """
    for speaker, words in turns:
        for start in range(max(1, len(words) - size + 1)):
            yield " ".join([speaker, *words[start : start + size]]).encode()


def compare(numbers: Collection[int], others: Collection[int]) -> float:
    """Return the Jaccard index of two sets; 0 of two empty ones."""
    common = len(set(numbers) & set(others))
    return common / max(1, len(numbers) + len(others) - common)


def number(text: bytes) -> int:
    """Return 32 bits of a hash as PostgreSQL's integer; the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big", signed=True)
