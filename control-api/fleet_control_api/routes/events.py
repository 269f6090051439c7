"""
What happens in the fleet, as server-sent events that a client can continue after an interruption.

Each stream asks the database once a second. A NOTIFY for every event would make all transactions
that tell one wait for each other at their commit.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import psycopg
from flask import Blueprint, Response, request

from fleet_control_api.callers.sessions import identify_bearer
from fleet_control_api.permissions.roles import reads
from fleet_control_api.routes.streams import answer_stream
from fleet_control_api.service.context import Services, services
from fleet_control_api.service.errors import NotFoundError, UnauthenticatedError
from fleet_control_api.values.arguments import parse_headers, read_query
from fleet_control_api.values.events import LAST, Event, EventHeaders, Place, render_event
from fleet_control_api.values.fields import Nothing

if TYPE_CHECKING:
    from collections.abc import Generator

blueprint = Blueprint("events", __name__, url_prefix="/events")

PAUSE = 1.0  # seconds between two questions to the database
BEATS = 15  # pauses without an event until the client is told that the stream lives
AT_ONCE = 500  # events of one question
GONE_MS = 30_000  # a client that acknowledges nothing for so long is gone


@blueprint.get("")
@reads("text/event-stream", query=Nothing, headers=EventHeaders, errors=(NotFoundError,))
def stream_events() -> Response:
    """Stream events as they are told; Last-Event-ID continues after the last one received."""
    read_query(request, Nothing)
    sent = parse_headers(EventHeaders, request.headers).last_event_id
    running, header = services(), request.headers.get("Authorization")
    response = answer_stream(
        _read_pieces(running, header, Place.parse(sent) if sent else None), "text/event-stream"
    )
    _notice_absence()
    response.headers["X-Accel-Buffering"] = "no"  # proxies must not wait for more
    return response


def _read_pieces(running: Services, header: str | None, place: Place | None) -> Generator[bytes]:
    place = _find_start(running, place)
    yield b": events of the fleet\nretry: 3000\n\n"
    quiet = 0
    while not running.ending.wait(PAUSE):
        try:
            events = _read_events(running, place)
            if not events and quiet % BEATS == 0:
                _check_login(running, header)
        except (psycopg.Error, UnauthenticatedError):
            return  # the client comes again with its last id, and is told what is wrong
        for place, event in events:
            yield render_event(place, event)
        quiet = 0 if events else quiet + 1
        if quiet and quiet % BEATS == 0:
            yield b": alive\n\n"


def _find_start(running: Services, place: Place | None) -> Place:
    """Return where to begin: now, also for a place that this database has not reached."""
    with running.database.statements() as connection:
        row = connection.execute("SELECT control.event_horizon() AS told_in").fetchall()[0]
    now = Place(row["told_in"] - 1, LAST)
    return now if place is None or place.told_in > now.told_in else place


def _read_events(running: Services, place: Place) -> list[tuple[Place, Event]]:
    with running.database.statements() as connection:
        rows = connection.execute(
            "SELECT * FROM control.read_events(%s, %s, %s)",
            [place.told_in, place.event_id, AT_ONCE],
        ).fetchall()
    return [(Place(row.pop("told_in"), row["event_id"]), Event(**row)) for row in rows]


def _check_login(running: Services, header: str | None) -> None:
    """Raise UnauthenticatedError once the login or token of the stream is no longer good."""
    with running.database.statements() as connection:
        identify_bearer(connection, running.sessions, header)


def _notice_absence() -> None:
    """Let the kernel end the connection of a client that has vanished without a word."""
    connection = request.environ.get("gunicorn.socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GONE_MS)
