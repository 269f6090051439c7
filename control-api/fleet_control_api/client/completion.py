"""What can follow the beginning of a command line: from the parsers, and names from the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleet_control_api.client.sources import SOURCES
from fleet_control_api.client.values import clean
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from fleet_control_api.client.remote import Remote

PATIENCE = (0.5, 1.5)  # seconds to connect and to answer: who presses Tab waits for no API

Candidate = tuple[str, str]  # the word, and what it is


def complete(
    parser: argparse.ArgumentParser, words: Sequence[str], remote: Remote
) -> list[Candidate]:
    """Return what the last word can become, after those before it; nothing is no error."""
    *before, current = words or [""]
    found = find_expected(parser, before)
    if found is None:
        return []
    parser, waiting, following = found
    candidates: Iterator[Candidate]
    if waiting is None and current.startswith("-"):
        candidates = list_options(parser)
    else:
        action = waiting or following
        candidates = list_values(action, remote) if action is not None else iter(())
    seen = {word: about for word, about in candidates if word.startswith(current)}
    return list(seen.items())


def find_expected(
    parser: argparse.ArgumentParser, before: Sequence[str]
) -> tuple[argparse.ArgumentParser, argparse.Action | None, argparse.Action | None] | None:
    """
    Follow the words; None where one of them is wrong.

    Return the parser they lead to, the option that waits for a value, the argument that follows.
    """
    arguments, waiting = list_arguments(parser), None
    for word in before:
        if waiting is not None:
            waiting = None
        elif word.startswith("-"):
            options = (a for a in parser._actions if word in a.option_strings)  # noqa: SLF001 - argparse tells it nowhere else
            waiting = next((option for option in options if option.nargs != 0), None)
        elif not arguments:
            return None
        elif isinstance(arguments[0].choices, dict):
            if word not in arguments[0].choices:
                return None
            parser = arguments[0].choices[word]
            arguments = list_arguments(parser)
        elif arguments[0].nargs not in {"*", "+"}:
            arguments.pop(0)
    return parser, waiting, arguments[0] if arguments else None


def list_arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return what a parser expects by its place, verbs included, in order."""
    return [action for action in parser._actions if not action.option_strings]  # noqa: SLF001 - as above


def list_options(parser: argparse.ArgumentParser) -> Iterator[Candidate]:
    """Yield the long options of a parser."""
    for action in parser._actions:  # noqa: SLF001 - as above
        for option in action.option_strings:
            if option.startswith("--"):
                yield option, action.help or ""


def list_values(action: argparse.Action, remote: Remote) -> Iterator[Candidate]:
    """Yield what an argument may be; names that the API does not tell at once are left out."""
    if isinstance(action.choices, dict):
        told: Any = action._choices_actions if hasattr(action, "_choices_actions") else ()  # noqa: SLF001 - as above
        yield from ((choice.dest, choice.help or "") for choice in told)
    elif action.choices is not None:
        yield from ((str(choice), "") for choice in action.choices)
    elif action.dest in SOURCES:
        source = SOURCES[action.dest]
        yield from ((word, "") for word in source.more)
        try:
            rows = remote.call("GET", source.path)[source.key]
        except (ClientError, KeyError, TypeError):
            return
        for row in rows:
            yield f"{source.prefix}{row[source.name]}", str(row[source.about])


def render_candidates(candidates: Sequence[Candidate]) -> str:
    """Return a line each: the word, a tab, what it is."""
    lines = (f"{clean(word)}\t{clean(about)}".replace("\n", " ") for word, about in candidates)
    return "".join(f"{line}\n" for line in lines)
