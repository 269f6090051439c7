"""
What phrases.json says: which words a line of an outline may become.

A phrase has choices in brackets, `[Hi|Hello]`, pools of other phrases, `{@intro}`, and values of
the line that it answers, `{name}`; `{fact!}` is a value that its speaker says of themselves.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

FILE = Path(__file__).with_name("phrases.json")
CHOICE = re.compile(r"\[([^\[\]]*)\]")
POOL = re.compile(r"\{@(\w+)\}")
VALUE = re.compile(r"\{(\w+)(!?)\}")
SENTENCE_START = re.compile(r"(?:^|(?<=[.!?]\s))[a-z]")


@dataclass(frozen=True)
class Rule:
    """The lines that it is for, and what may be said for one."""

    speaker: str
    when: re.Pattern[str]
    says: tuple[str, ...]


@dataclass(frozen=True)
class Phrases:
    """All that is known to be said; the first rule that fits a line is used."""

    lines: tuple[Rule, ...]
    clauses: tuple[Rule, ...]
    pools: dict[str, list[str]]
    first_person: tuple[tuple[re.Pattern[str], str], ...]
    stock: dict[str, Any]
    nonsense: tuple[str, ...]
    hello: tuple[str, ...]

    def expand(self, phrase: str, values: dict[str, str], draw: random.Random) -> str:
        """Return a phrase with its choices made and its values filled in."""
        text = phrase
        while "{@" in text:
            text = POOL.sub(lambda found: draw.choice(self.pools[found[1]]), text)
        while (chosen := CHOICE.sub(lambda found: draw.choice(found[1].split("|")), text)) != text:
            text = chosen
        return VALUE.sub(lambda found: self._fill(values[found[1]], is_own=bool(found[2])), text)

    def _fill(self, value: str, *, is_own: bool) -> str:
        for pattern, replacement in self.first_person if is_own else ():
            if pattern.match(value):
                return pattern.sub(replacement, value, count=1)
        return value


def find_rule(rules: tuple[Rule, ...], speaker: str, text: str) -> tuple[Rule, dict[str, str]]:
    """Return the first rule that fits, and the values that it finds. Raises LookupError."""
    for rule in rules:
        if rule.speaker == speaker and (found := rule.when.fullmatch(text)):
            return rule, {name: value or "" for name, value in found.groupdict().items()}
    raise LookupError(text)


def capitalise(text: str) -> str:
    """Return the text with a capital at the beginning of each sentence, and single spaces."""
    return SENTENCE_START.sub(lambda found: found[0].upper(), " ".join(text.split()))


@cache
def read_phrases() -> Phrases:
    """Return what the file holds; read once."""
    content = json.loads(FILE.read_text())
    pools = content["pools"] | {"question": content["questions"]}
    return Phrases(
        lines=_parse_rules(content["lines"]),
        clauses=_parse_rules(content["clauses"]),
        pools=pools,
        first_person=tuple((re.compile(old), new) for old, new in content["first_person"]),
        stock=content["stock"],
        nonsense=tuple(content["nonsense"]),
        hello=tuple(content["hello"]),
    )


def _parse_rules(rules: list[dict[str, Any]]) -> tuple[Rule, ...]:
    return tuple(
        Rule(rule["speaker"], re.compile(rule["when"]), tuple(rule["says"])) for rule in rules
    )
