"""
Read a call out of the prompts that our worker sends, as a model would. Pure.

The outline stands in the last message of the user, the turns that are written stand below it or in
the beginning of the answer.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fleet_orchestrator.generation.prompt import SPEAKERS, Line

from fleet_twin.model_server.speech.speaker import Call

if TYPE_CHECKING:
    from fleet_twin.model_server.chat import Chat

LINE = re.compile(rf"^\d+\. ({'|'.join(SPEAKERS)}): (.+)$", re.MULTILINE)
FEELINGS = re.compile(r", is (?P<mood>\w+) and (?P<manner>[^.\n]+)\.")
WRITTEN = re.compile(rf"^(?:{'|'.join(SPEAKERS)}): (.+)$", re.MULTILINE)
OPEN_TEXT = '"}]}'  # what closes a beginning that ends within the words of a turn


def read_call(chat: Chat) -> Call | None:
    """Return the call that is to be written; None where the prompt has no outline."""
    asked = [content for role, content in chat.messages if role == "user"]
    return _read_outline(asked[-1]) if asked else None


def read_begun(chat: Chat) -> list[dict[str, Any]] | None:
    """Return the turns of the beginning, the last one as far as it stands; None without one."""
    try:
        turns = json.loads(chat.beginning + OPEN_TEXT)["turns"]
    except (ValueError, TypeError, KeyError):
        return None
    is_turns = isinstance(turns, list) and all(isinstance(turn, dict) for turn in turns)
    return turns if is_turns and turns and "text" in turns[-1] else None


def read_written(chat: Chat) -> list[str]:
    """Return the words of the turns that the last message gives as written."""
    return WRITTEN.findall(chat.messages[-1][1])


@lru_cache(maxsize=1024)
def _read_outline(content: str) -> Call | None:
    lines = tuple(Line(speaker, does) for speaker, does in LINE.findall(content))
    found = FEELINGS.search(content)
    feelings = found.groupdict() if found else {}
    return Call(lines, **feelings) if lines else None


def decide_copy(chat: Chat) -> str | None:
    """Return how a text goes on that the user quotes and whose beginning the answer has."""
    text = chat.beginning.rstrip()
    for role, content in reversed(chat.messages):
        if text and role == "user" and text in content:
            rest = content.partition(text)[2]
            return rest if chat.beginning == text else rest.lstrip()
    return None
