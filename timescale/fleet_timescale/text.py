"""Text that other programs send, made fit to be stored and shown."""

from __future__ import annotations

TEXT_MAX = 500  # characters; a reason is a sentence, not a document


def clean(text: str) -> str:
    """Return a text without what PostgreSQL or a terminal cannot take, and of a bounded length."""
    return "".join(c if c.isprintable() else " " for c in text)[:TEXT_MAX]
