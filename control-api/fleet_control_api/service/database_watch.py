"""Whether the database answers: asked each second, told by the metrics page."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_control_api.service.database import Database

log = logging.getLogger(__name__)

WAIT = 1.0  # seconds for a connection
PATIENCE = 5.0  # seconds without an answer after which a question that hangs is a no


class DatabaseWatch:
    """Asked by the thread that keeps house, read by those that answer scrapes."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._answered_at = -math.inf
        self._answers: bool | None = None

    def look(self) -> None:
        """Ask once."""
        try:
            with self._database.statements(WAIT) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as exc:
            if self._answers is not False:
                log.warning("the database does not answer", extra={"error": str(exc)})
            self._answers = False
        else:
            self._answers, self._answered_at = True, self._clock()

    def read(self) -> float:
        """Return 1 if it answers, 0 if it does not; NaN before anybody has asked."""
        if self._answers is None:
            return math.nan
        return float(self._answers and self._clock() - self._answered_at < PATIENCE)
