"""
Keep the words of a prompt out of what is told of a model server. Pure.

Servers quote requests in their errors, and people read those.
"""

from __future__ import annotations

import re

ESCAPED = re.compile(r"\\+[bfnrt]")  # white space in JSON, or in JSON in JSON
TELLING = re.compile(r"\w*\d\w*|\w{4,}")  # shorter words tell nothing of a prompt


def hide_prompt(said: str, messages: list[dict[str, str]]) -> str:
    """Return what a server said with every word of the messages replaced by an ellipsis."""
    words = {
        word.casefold() for message in messages for word in TELLING.findall(message["content"])
    }
    plain = ESCAPED.sub(" ", said)
    hidden = TELLING.sub(lambda found: "…" if found[0].casefold() in words else found[0], plain)
    return re.sub(r"…(?:\W*…)+", "…", hidden)
