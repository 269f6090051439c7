"""
Answers that are sent piece by piece: at most eight at a time, so that other requests have threads.
"""

from __future__ import annotations

import logging
from itertools import chain
from typing import TYPE_CHECKING

import psycopg
from flask import Response

from fleet_control_api.service.context import STREAMS_MAX, Services, services
from fleet_control_api.service.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator

log = logging.getLogger(__name__)

RETRY_SECONDS = 30


def answer_stream(pieces: Generator[bytes], content_type: str) -> Response:
    """Return the answer, its first piece being there. Raises UnavailableError for a ninth."""
    running = services()
    if not running.streams.acquire(blocking=False):
        raise UnavailableError(
            f"{STREAMS_MAX} streams are running",
            remedy="Try again later.",
            retry_seconds=RETRY_SECONDS,
        )
    try:
        # A database that is down is still a 503 here, later it is a cut stream.
        first = next(pieces)
    except BaseException:
        running.streams.release()
        raise
    response = Response(chain([first], pieces), content_type=content_type)
    # One callback: what one of several raises would skip the others.
    response.call_on_close(lambda: _end(running, pieces))
    return response


def _end(running: Services, pieces: Generator[bytes]) -> None:
    """Give back the connection and the place of a stream, also when its session is gone."""
    try:
        pieces.close()
    except psycopg.Error as exc:
        # Nobody is left to answer: the client has gone, or has seen the stream break off.
        log.warning("a stream ended without its database session", extra={"error": str(exc)})
    finally:
        running.streams.release()
