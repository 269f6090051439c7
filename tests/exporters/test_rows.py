"""Samples become rows of the telemetry tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fleet_exporters.sample import Sample, Tick, Verdict
from fleet_exporters.sinks.database.rows import TABLES, Batch, make_batch
from fleet_exporters.sinks.database.spool import Spool

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make(*samples):
    """Return the rows of these samples by table."""
    verdict = (
        Sample("fleet_activity_mode", {"mode": "idle"}, 0),
        Sample("fleet_activity_mode", {"mode": "throttling"}, 1),
        Sample("fleet_throttle_factor", {}, 0.6),
    )
    tick = Tick(NOW, (*samples, *verdict), Verdict("throttling", 0.6, "test"))
    return make_batch(tick, "alpha").rows


def test_missing_sensors_are_null():
    """A machine that shows only its load has NULL everywhere else, not 0."""
    (row,) = make(Sample("fleet_load_1m", {}, 0.5))["hardware"]
    columns = list(TABLES[0].column_types)

    assert dict(zip(columns, row, strict=True)) == {
        "time": NOW,
        "node": "alpha",
        "cpu_utilization_ratio": None,
        "cpu_temperature_celsius": None,
        "cpu_frequency_hertz": None,
        "load_1m": 0.5,
        "memory_used_bytes": None,
        "memory_total_bytes": None,
        "swap_used_bytes": None,
        "mode": "throttling",
        "throttle_factor": 0.6,
        "load_5m": None,
        "load_15m": None,
        "swap_total_bytes": None,
        "power_watts": None,
        "clock_offset_seconds": None,
    }


def test_hottest_package_is_the_cpu():
    """Two packages are two temperature rows and one CPU temperature."""
    rows = make(
        Sample("fleet_cpu_temperature_celsius", {"sensor": "p0"}, 50.0),
        Sample("fleet_cpu_temperature_celsius", {"sensor": "p1"}, 55.0),
        Sample("fleet_temperature_celsius", {"sensor": "nvme"}, 40.0),
    )

    assert rows["hardware"][0][3] == 55.0
    assert rows["temperatures"] == [
        (NOW, "alpha", "p0", 50.0),
        (NOW, "alpha", "p1", 55.0),
        (NOW, "alpha", "nvme", 40.0),
    ]


def test_each_gpu_is_a_row():
    """A card keeps its name and what it measures; what it lacks is NULL."""
    rows = make(
        Sample("fleet_gpu_info", {"gpu": "0", "name": "RTX", "uuid": "u"}, 1),
        Sample("fleet_gpu_utilization_ratio", {"gpu": "0"}, 0.4),
        Sample("fleet_gpu_temperature_celsius", {"gpu": "1"}, 61),
    )

    assert [row[:6] for row in rows["gpu"]] == [
        (NOW, "alpha", "0", "RTX", 0.4, None),
        (NOW, "alpha", "1", None, None, 61.0),
    ]
    assert {value for row in rows["gpu"] for value in row[6:]} == {None}


def test_lost_gpu_is_a_row():
    """A card that cannot be read says that, and nothing else."""
    (row,) = make(Sample("fleet_gpu_up", {"gpu": "1"}, 0))["gpu"]

    assert row[:3] == (NOW, "alpha", "1")
    assert [value for value in row[3:] if value is not None] == [False]


def test_unknown_link_speed_is_null():
    """A device without a link speed keeps its row: the counters are there."""
    (row,) = make(
        Sample("fleet_network_receive_bytes_total", {"device": "wlan0"}, 5),
        Sample("fleet_network_transmit_bytes_total", {"device": "wlan0"}, 6),
    )["network"]

    assert row[:5] == (NOW, "alpha", "wlan0", 5, 6)
    assert row[-1] is None


def test_half_a_reading_of_a_disk_is_no_row():
    """Columns that may not be NULL keep a row out if one is missing."""
    rows = make(Sample("fleet_disk_free_bytes", {"mount": "/"}, 5))

    assert "disks" not in rows


def batch(seconds, rows=2):
    """Return a batch of the tick so many seconds after NOW."""
    return Batch(NOW + timedelta(seconds=seconds), {"disks": [()] * rows})


def test_spool_drops_the_oldest_and_counts():
    """A full spool keeps what is new."""
    spool = Spool(ticks_max=2)
    dropped = [spool.put(batch(second)) for second in (0, 5, 10)]

    assert dropped == [0, 0, 2]
    assert (spool.rows, spool.dropped_rows["full"], spool.oldest) == (
        4,
        2,
        NOW + timedelta(seconds=5),
    )


def test_spool_keeps_what_came_while_storing():
    """Removing what was stored leaves what was put in since, also if the spool overflowed."""
    spool = Spool(ticks_max=2)
    spool.put(batch(0))
    number, _ = spool.peek(10)
    for second in (5, 10):
        spool.put(batch(second))
    spool.remove(number)

    assert [waiting.time.second for waiting in spool.peek(10)[1]] == [10, 15]


def test_lost_rows_are_counted():
    """Rows that the database refused count as dropped, stored ones do not."""
    spool = Spool()
    spool.put(batch(0))
    spool.put(batch(5))
    spool.remove(spool.peek(1)[0])
    spool.remove(spool.peek(1)[0], is_lost=True)

    assert (spool.rows, spool.dropped_rows["refused"]) == (0, 2)
