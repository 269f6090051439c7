"""Write what became of messages to the database, whenever it is there."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    import threading

    from fleet_timescale.connection import Connect

    from fleet_sms.spool import Done, Spool

logger = logging.getLogger(__name__)

BATCH = 200
LOOK_SECONDS, AWAY_SECONDS = 2.0, 15.0


def render_row(done: Done) -> dict[str, Any]:
    """Return what the database is told; of the number only its end."""
    message = done.message
    return {
        "message_id": message.message_id,
        "alertname": message.alertname,
        "state": message.state,
        "number_end": message.number[-4:],
        "queued_at": datetime.fromtimestamp(message.queued_at, UTC).isoformat(),
        "finished_at": datetime.fromtimestamp(done.finished_at, UTC).isoformat(),
        "tries": done.tries,
        "outcome": done.outcome,
        "reason": done.reason,
    }


def write(spool: Spool, connect: Connect) -> int:
    """Write a batch, forget it on disk, and return its size. Raises psycopg.Error."""
    batch = spool.list_done(BATCH)
    if batch:
        rows = [render_row(done) for done in batch]
        with connect() as connection:
            connection.execute("SELECT control.record_sms(%s)", [Jsonb(rows)])
        for done in batch:
            spool.forget(done)
    return len(batch)


def run(spool: Spool, connect: Connect, stop: threading.Event) -> None:
    """Write until told to stop; the database may come and go."""
    is_away = False
    while not stop.wait(AWAY_SECONDS if is_away else LOOK_SECONDS):
        try:
            write(spool, connect)
            is_away = False
        except psycopg.Error as exc:
            if not is_away:
                logger.warning("Deliveries are not in the database yet.", extra={"error": str(exc)})
            is_away = True
        except Exception:
            logger.exception("Deliveries could not be written.")
