"""
Say how far this machine's clock is from the database's.

By hand: `psql -c 'SELECT clock_timestamp()'; date --utc`. It is measured on the connection that
stores the rows, by the thread that has it; this family only tells the last result.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleet_timescale.connection import Connection

MEASURE_SECONDS = 60.0  # clocks drift slowly; a step shows within a minute
KEEP_SECONDS = 300.0  # older than that, nobody knows any more


def find_offset(sent: datetime, database: datetime, received: datetime) -> float:
    """Return seconds that we are ahead: our middle of the question against the database's time."""
    return ((sent + (received - sent) / 2) - database).total_seconds()


class Clock:
    """Holds the last measurement; written by the thread that stores rows, read by the tick."""

    def __init__(
        self,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._monotonic = monotonic
        self._measured: tuple[float, float] | None = None  # when, seconds

    def measure(self, connection: Connection) -> None:
        """Ask the database for its time, at most once a minute; its errors are the caller's."""
        asked = self._monotonic()
        if self._measured is not None and asked - self._measured[0] < MEASURE_SECONDS:
            return
        sent = self._now()
        row = connection.execute("SELECT clock_timestamp() AS time").fetchone()
        received = self._now()
        if row is not None:
            self._measured = asked, find_offset(sent, row["time"], received)

    def read(self) -> Iterator[Sample]:
        """Yield the offset; nothing while the database has not been asked for long."""
        measured = self._measured
        if measured is not None and self._monotonic() - measured[0] <= KEEP_SECONDS:
            yield Sample("fleet_clock_offset_seconds", {}, measured[1])
