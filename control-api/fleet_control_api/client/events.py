"""`fleet events`: what happens, a line each, as it happens."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests

from fleet_control_api.client.values import EMPTY, clean, render_instant
from fleet_control_api.client.verbs import add
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from fleet_control_api.client.remote import Remote


def follow_events(remote: Remote, arguments: argparse.Namespace) -> None:
    """Print events until somebody interrupts. Raises ClientError when the stream ends by itself."""
    with remote.open("GET", "/events") as response:
        try:
            for event in parse_events(response.iter_lines(decode_unicode=False)):
                said = json.dumps(event) if arguments.json else render_event(event)
                sys.stdout.write(f"{said}\n")
                sys.stdout.flush()
        except requests.RequestException:
            pass  # told below, as an end that the API chose
    raise ClientError(
        "the stream of events has ended", remedy="`./fleet status` shows whether the API runs."
    )


def parse_events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the events of a stream of server-sent ones; the API writes each in one line."""
    for line in lines:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


def render_event(event: dict[str, Any]) -> str:
    """Return an event as a line."""
    time = render_instant(datetime.fromisoformat(event["time"]))
    where = event["node"] or EMPTY
    return clean(f"{time}  {event['severity']:<8}  {where}  {event['kind']}: {event['message']}")


def add_events(nouns: Any) -> None:
    """Add the command to the command line."""
    summary = "print what happens, as it happens, until Ctrl-C"
    add(nouns, "events", follow_events, summary, route="GET /events")
