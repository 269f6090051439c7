"""Rows reach the real database, each once, whatever happens in between."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest
from fleet_exporters.sample import Sample, Tick, Verdict
from fleet_exporters.sinks.database.rows import make_batch
from fleet_exporters.sinks.database.spool import Spool
from fleet_exporters.sinks.database.timescale import RETRY_MAX, TICKS_PER_BATCH, Ingest

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def batch(number=0, mount="/"):
    """Return the rows of a whole machine at the given tick."""
    verdict = Verdict("idle", 1.0, "test")
    samples = (
        Sample("fleet_cpu_utilization_ratio", {}, 0.25),
        Sample("fleet_memory_used_bytes", {}, 2.0**40),
        Sample("fleet_cpu_temperature_celsius", {"sensor": "k10temp Tdie"}, 61.5),
        Sample("fleet_gpu_info", {"gpu": "0", "name": "RTX", "uuid": "u"}, 1),
        Sample("fleet_gpu_power_watts", {"gpu": "0"}, 250.0),
        Sample("fleet_disk_free_bytes", {"mount": mount}, 10),
        Sample("fleet_disk_total_bytes", {"mount": mount}, 100),
        Sample("fleet_network_receive_bytes_total", {"device": "eth0"}, 5),
        Sample("fleet_network_transmit_bytes_total", {"device": "eth0"}, 6),
        Sample("fleet_activity_mode", {"mode": "idle"}, 1),
        Sample("fleet_throttle_factor", {}, 1),
    )
    return make_batch(Tick(NOW + timedelta(seconds=5 * number), samples, verdict), "alpha")


@pytest.fixture
def spool():
    return Spool()


@pytest.fixture
def ingest(database, spool):
    made = Ingest(partial(database.connect, "alpha"), spool, lambda: NOW + timedelta(seconds=9))
    yield made
    made.close()


def count(owner, table):
    """Return the number of rows of a table."""
    return owner.execute(f"SELECT count(*) AS n FROM telemetry.{table}").fetchone()["n"]


def status(ingest):
    """Return what the ingest says of itself."""
    return {sample.name: sample.value for sample in ingest.read_status()}


def test_rows_are_stored_as_read(ingest, spool, owner):
    """A node's own login may insert, and every table gets its row with the right values."""
    spool.put(batch())

    assert [ingest.step(), ingest.step()] == [0.0, None]
    hardware = owner.execute("SELECT * FROM telemetry.hardware").fetchone()
    gpu = owner.execute("SELECT name, power_watts FROM telemetry.gpu").fetchone()
    assert (hardware["time"], hardware["node"]) == (NOW, "alpha")
    assert (hardware["cpu_utilization_ratio"], hardware["memory_used_bytes"]) == (0.25, 2**40)
    assert (hardware["cpu_temperature_celsius"], hardware["mode"]) == (61.5, "idle")
    assert gpu == {"name": "RTX", "power_watts": 250.0}
    assert [count(owner, table) for table in ("disks", "network", "temperatures")] == [1, 1, 1]


def test_resent_batch_is_stored_once(ingest, spool, owner):
    """A batch whose commit was not heard of comes again, together with a new one."""
    spool.put(batch(0))
    ingest.step()
    spool.put(batch(0))
    spool.put(batch(1))

    assert ingest.step() == 0.0
    assert [count(owner, table) for table in ("hardware", "gpu", "disks")] == [2, 2, 2]


def test_catching_up_goes_in_batches(ingest, spool, owner):
    """After an outage five minutes of readings go in one transaction."""
    for number in range(TICKS_PER_BATCH + 1):
        spool.put(batch(number))

    ingest.step()
    after_one = count(owner, "hardware")
    ingest.step()

    assert (after_one, count(owner, "hardware")) == (TICKS_PER_BATCH, TICKS_PER_BATCH + 1)


def test_database_down_keeps_rows_and_backs_off(database, spool, owner):
    """While nobody answers the rows wait, ever longer between tries; then all are stored."""
    is_down = True

    def connect():
        if is_down:
            raise psycopg.OperationalError("connection refused")
        return database.connect("alpha")

    ingest = Ingest(connect, spool)
    for number in range(3):
        spool.put(batch(number))
    waits = [ingest.step() for _ in range(7)]
    rows_waiting = spool.rows
    is_down = False
    ingest.step()
    ingest.close()

    assert all(0.8 * 2**n <= wait <= 1.2 * 2**n for n, wait in enumerate(waits[:5]))
    assert max(waits) <= 1.2 * RETRY_MAX
    assert rows_waiting == sum(batch().size for _ in range(3))
    assert (spool.rows, count(owner, "hardware")) == (0, 3)


def test_cut_connection_loses_nothing(ingest, spool, owner):
    """A connection that the server ends is opened anew, and the batch comes again."""
    spool.put(batch(0))
    ingest.step()
    owner.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE usename = 'fleet_node_alpha' AND datname = current_database()"
    )
    spool.put(batch(1))
    wait = ingest.step()
    ingest.step()

    assert wait > 0
    assert count(owner, "hardware") == 2


def test_absence_of_the_database_is_told_once(database, spool, owner):
    """From the first failed try to the next stored batch it is one event of this node."""
    ingest = Ingest(partial(database.connect, "alpha"), spool, node="alpha")
    for number in range(4):
        spool.put(batch(number))
        ingest.step()
        if number == 0:
            owner.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE usename = 'fleet_node_alpha' AND datname = current_database()"
            )
    ingest.close()

    (event,) = owner.execute("SELECT node, kind, message FROM analytics.events").fetchall()
    assert (event["node"], event["kind"]) == ("alpha", "database_away")
    assert event["message"].startswith("The exporter on alpha had no database for ")


def test_missing_table_waits(ingest, spool, owner):
    """A database that is not migrated yet is no reason to throw readings away."""
    owner.execute("ALTER TABLE telemetry.disks RENAME TO elsewhere")
    spool.put(batch())
    wait = ingest.step()
    owner.execute("ALTER TABLE telemetry.elsewhere RENAME TO disks")
    ingest.step()

    assert wait > 0
    assert [count(owner, table) for table in ("hardware", "disks")] == [1, 1]


def test_refused_rows_do_not_block_the_next(ingest, spool, owner, caplog):
    """Rows that the database will never take are dropped, counted and logged."""
    assert "fleet_spool_lost_timestamp_seconds" not in status(ingest)
    spool.put(batch(0, mount="nul\0byte"))
    first = ingest.step()
    lost_at = status(ingest)["fleet_spool_lost_timestamp_seconds"]
    spool.put(batch(1))
    ingest.step()

    assert first == 0.0
    assert lost_at == status(ingest)["fleet_spool_lost_timestamp_seconds"] > 0
    assert spool.dropped_rows == {"full": 0, "old": 0, "damaged": 0, "refused": batch().size}
    assert count(owner, "hardware") == 1
    assert "database refuses these rows; they are dropped" in caplog.messages


def test_rows_without_a_partition_wait_for_it(ingest, spool, owner):
    """What a table has no place for at the moment is not refused for good."""
    owner.execute("ALTER TABLE telemetry.hardware DETACH PARTITION telemetry.hardware_before")
    owner.execute("ALTER TABLE telemetry.hardware DETACH PARTITION telemetry.hardware_default")
    spool.put(batch())
    wait = ingest.step()
    owner.execute(
        "ALTER TABLE telemetry.hardware ATTACH PARTITION telemetry.hardware_default DEFAULT"
    )
    ingest.step()

    assert wait > 0
    assert sum(spool.dropped_rows.values()) == 0
    assert count(owner, "hardware") == 1


def test_status_tells_how_far_behind(ingest, spool):
    """Waiting rows have an age; once stored, the lag is what storing took."""
    nothing = status(ingest)
    spool.put(batch(0))
    waiting = status(ingest)
    ingest.step()
    stored = status(ingest)

    assert "fleet_ingest_lag_seconds" not in nothing
    assert (waiting["fleet_spool_oldest_seconds"], waiting["fleet_ingest_lag_seconds"]) == (9, 9)
    assert (stored["fleet_spool_oldest_seconds"], stored["fleet_spool_rows"]) == (0, 0)
    assert stored["fleet_ingest_lag_seconds"] == 9


def test_last_rows_are_stored_at_the_end(ingest, spool, owner):
    """A program that ends brings what it has read to the database first."""
    wake, stop = threading.Event(), threading.Event()
    spool.put(batch())
    stop.set()
    ingest.run(wake, stop)

    assert count(owner, "hardware") == 1


def test_unforeseen_failure_does_not_end_the_thread(spool, caplog):
    """Whatever goes wrong, rows wait and the next try comes; nothing dies in silence."""
    wake, stop = threading.Event(), threading.Event()

    def connect():
        stop.set()
        raise RuntimeError("unforeseen")

    spool.put(batch())
    Ingest(connect, spool).run(wake, stop)

    assert spool.rows == batch().size
    assert set(caplog.messages) == {"storing readings failed; they wait"}
