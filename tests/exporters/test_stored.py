"""What sensors tell arrives in the views that people read."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import partial

from fleet_exporters.catalogue import NODE_METRICS
from fleet_exporters.program import _ToDatabase
from fleet_exporters.sample import Sample, Tick, Verdict
from fleet_exporters.sinks.database.rows import TABLES, make_batch
from fleet_exporters.sinks.database.spool import Spool
from fleet_exporters.sinks.database.timescale import Ingest

NOW = datetime.now(UTC)  # readings can be read for 26 hours


def whole_machine():
    """Return one sample of every metric of a node, as a machine with every device has them."""
    for spec in NODE_METRICS.values():
        yield Sample(spec.name, dict.fromkeys(spec.labels, "x"), 1.0)


def test_every_column_is_filled_and_read(database, owner):
    """Each table takes its row, and analytics shows every value of it."""
    spool = Spool()
    spool.put(make_batch(Tick(NOW, tuple(whole_machine()), Verdict("idle", 1.0, "x")), "alpha"))
    ingest = Ingest(partial(database.connect, "alpha"), spool)

    assert ingest.step() == 0
    ingest.close()

    for table in TABLES:
        (row,) = owner.execute(f"SELECT * FROM analytics.{table.name}").fetchall()
        assert row["node"] == "alpha"
        assert [column for column in table.column_types if row[column] is None] == []


def test_clock_is_measured_on_the_connection_that_stores(database):
    """The sink hands its connection to whoever measures, before each batch."""
    asked, spool = [], Spool()
    spool.put(make_batch(Tick(NOW, tuple(whole_machine()), Verdict("idle", 1.0, "x")), "alpha"))
    ingest = Ingest(partial(database.connect, "alpha"), spool, measure=asked.append)
    ingest.step()
    ingest.close()

    assert len(asked) == 1
    assert asked[0].closed


def test_nothing_is_stored_while_the_node_is_another_machine_s(database, owner):
    """What waits goes on waiting, and the connection is let go; afterwards all is stored."""
    spool, reasons = Spool(), ["one home is a copy of the other"]
    spool.put(make_batch(Tick(NOW, tuple(whole_machine()), Verdict("idle", 1.0, "x")), "alpha"))
    ingest = Ingest(partial(database.connect, "alpha"), spool, is_held_back=lambda: bool(reasons))

    assert ingest.step() is None
    assert owner.execute("SELECT FROM analytics.hardware").fetchall() == []
    assert Sample("fleet_ingest_held_back", {}, 1) in ingest.read_status()

    reasons.clear()
    assert ingest.step() == 0
    ingest.close()
    assert len(owner.execute("SELECT FROM analytics.hardware").fetchall()) == 1
    assert Sample("fleet_ingest_held_back", {}, 0) in ingest.read_status()


def test_readings_taken_meanwhile_are_not_kept(database):
    """They would come into the node's past once the machine may speak for it again."""
    spool, reasons = Spool(), ["one home is a copy of the other"]
    ingest = Ingest(partial(database.connect, "alpha"), spool)
    sink = _ToDatabase("alpha", spool, ingest, threading.Event(), lambda: "".join(reasons))
    tick = Tick(NOW, tuple(whole_machine()), Verdict("idle", 1.0, "x"))

    sink.publish(tick)
    assert spool.rows == 0

    reasons.clear()
    sink.publish(tick)
    assert spool.rows > 0
