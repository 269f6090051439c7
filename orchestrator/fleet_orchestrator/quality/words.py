"""What was said, by its words: stems of the content, and whether a fact is spoken of. Pure."""

from __future__ import annotations

import re

STEM = 6  # letters that tell one word from another: approve, approved, approval
SPOKEN_SHARE = 0.6  # of the stems of a fact, so that other words for the rest pass
SMALL = {
    "the", "and", "for", "you", "your", "was", "were", "are", "has", "had", "have", "that",
    "this", "with", "from", "not", "but", "can", "could", "will", "would", "she", "her", "his",
    "him", "they", "them", "our", "out", "did", "does", "its", "it's", "i'm", "i'll", "one",
    "all", "any", "get", "got", "just", "been", "being", "what", "when", "where", "which", "who",
    "why", "how", "there", "here", "about", "into", "than", "then", "too", "very", "since", "by",
    "be", "to", "of", "in", "on", "at", "is", "it", "an", "as", "or", "so", "we", "he", "my",
    "me", "do", "if", "up", "no", "yes", "us",
}  # fmt: skip


def find_stems(text: str) -> set[str]:
    """Return the stems of the words that carry the meaning, and all numbers."""
    plain = text.casefold().replace("\u2019", "'")
    words = re.findall(r"\d+(?:[.,:]\d+)*|[^\W\d_]{2,}(?:'[^\W\d_]+)?", plain)
    return {_stem(word) for word in words if word not in SMALL}


def speaks_of(text: str, fact: str, *, share: float = SPOKEN_SHARE) -> bool:
    """True when the text has enough of the words of a fact, in any order."""
    wanted = find_stems(fact)
    return bool(wanted) and len(wanted & find_stems(text)) >= share * len(wanted)


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a turn; "Dr. Lund" is no end of one."""
    parts = re.split(r"(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bMrs\.)(?<=[.!?])\s+", text)
    return [part for part in parts if part.strip()]


def is_question(sentence: str) -> bool:
    """True for a sentence that ends as a question."""
    return sentence.rstrip("\"'\u201d\u2019 ").endswith("?")


def _stem(word: str) -> str:
    if word[0].isdigit():
        return word
    bare = word.removesuffix("'s")
    if len(bare) > 3 and bare.endswith("s") and not bare.endswith("ss"):
        bare = bare[:-1]
    return bare[:STEM]
