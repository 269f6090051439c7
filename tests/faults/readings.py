"""Ticks with readings that can be told apart, and what became of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fleet_exporters.sample import Sample, Tick, Verdict
from fleet_exporters.sinks.database.rows import make_batch
from fleet_exporters.sinks.database.segments import Segments
from fleet_exporters.sinks.database.spool import Spool

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TICK_SECONDS = 5
VERDICT = Verdict("idle", 1.0, "test")


def tick(number, *samples, at=None):
    """Return the tick of a small machine; load_1m is its number."""
    time = at or NOW + timedelta(seconds=TICK_SECONDS * number)
    readings = (
        Sample("fleet_load_1m", {}, float(number)),
        Sample("fleet_disk_free_bytes", {"mount": "/"}, 10),
        Sample("fleet_disk_total_bytes", {"mount": "/"}, 100),
        Sample("fleet_network_receive_bytes_total", {"device": "eth0"}, 5),
        Sample("fleet_network_transmit_bytes_total", {"device": "eth0"}, 6),
        Sample("fleet_temperature_celsius", {"sensor": "nvme"}, 40.0),
    )
    return Tick(time, (*readings, *samples), VERDICT)


def batch(number, **options):
    return make_batch(tick(number, **options), "alpha")


ROWS = batch(0).size  # of one tick


def stored(owner):
    """Return the numbers of the stored ticks in the order in which they were stored."""
    rows = owner.execute("SELECT load_1m::int AS n FROM telemetry.hardware ORDER BY ctid")
    return [row["n"] for row in rows]


def drain(ingest):
    """Store all that waits; a step that fails fails the test."""
    while (wait := ingest.step()) is not None:
        assert wait == 0, "the database does not take the rows"


def open_spool(folder):
    """Return the spool in a folder as an exporter at the time of these readings finds it."""
    return Spool(Segments(folder, now=NOW.timestamp))
