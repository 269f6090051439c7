"""What a verb of the command line is: its arguments, its route, and how its answer is shown."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from rich.console import RenderableType

from fleet_control_api.client.place import Place
from fleet_control_api.client.remote import Remote

Answer = tuple[Any, RenderableType]  # as the API gave it, and as people read it
# None: the verb has printed by itself, as things came.
Handler = Callable[[Remote, argparse.Namespace], Answer | None]
# Of login and the like, which decide themselves whom to call; with set_defaults(is_of_place=True).
PlaceHandler = Callable[[Place, argparse.Namespace], Answer]


def add_noun(nouns: Any, name: str, summary: str) -> Any:
    """Add a noun to the command line and return what its verbs are added to."""
    noun = nouns.add_parser(name, help=summary)
    return noun.add_subparsers(dest="verb", required=True, metavar="VERB")


def add(
    verbs: Any, name: str, handler: Handler | PlaceHandler, summary: str, *, route: str
) -> argparse.ArgumentParser:
    """
    Add a verb to a noun and return its parser.

    `route` is the operation that it calls, as the OpenAPI document writes it: POST /jobs.
    """
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"By HTTP: {route}",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    parser.set_defaults(handler=handler, route=route)
    return parser


def pick_given(arguments: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the values that were given, by their names."""
    values = {name: getattr(arguments, name, None) for name in names}
    return {name: value for name, value in values.items() if value is not None}
