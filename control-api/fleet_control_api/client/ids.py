"""The beginning of an id, as tables on a terminal show it, stands for the whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet_control_api.client.sources import SOURCES
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from fleet_control_api.client.remote import Remote

BEGINNING = re.compile(r"[0-9a-f]{4,8}|[0-9a-f]{8}-[0-9a-f-]{0,26}")  # no whole UUID
ID = "_id"  # what the names of columns with ids end in


def complete_ids(remote: Remote, arguments: argparse.Namespace) -> None:
    """Put whole ids in place of their beginnings. Raises ClientError for none or several."""
    for argument, source in SOURCES.items():
        given = getattr(arguments, argument, None)
        is_id = source.name.endswith(ID)
        if is_id and isinstance(given, str) and BEGINNING.fullmatch(given):
            ids = [row[source.name] for row in remote.read_all(source.path, source.key)[source.key]]
            what, command = source.name.removesuffix(ID), source.path.strip("/").replace("/", " ")
            setattr(arguments, argument, decide_id(given, ids, what, command))


def decide_id(given: str, ids: Sequence[str], what: str, command: str) -> str:
    """
    Return the one id that begins so. Raises ClientError for none or several.

    `command` is the noun that lists them, with its verb where that is not `list`.
    """
    found = [each for each in ids if each.startswith(given)]
    if len(found) != 1:
        said = f"{len(found)} {what}s begin" if found else f"no {what} begins"
        raise ClientError(
            f"{said} with {given}",
            remedy=f"`./fleet {command}{'' if ' ' in command else ' list'}` lists them.",
        )
    return found[0]
