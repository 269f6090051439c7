"""The exporter's process: killed, started twice, running for long."""

from __future__ import annotations

import gc
from datetime import timedelta
from pathlib import Path

import pytest
from fix_fleet import wait_until
from fleet_exporters.exporter import Exporter
from fleet_exporters.reading.sampler import Sampler
from fleet_exporters.sample import Sample
from fleet_exporters.sinks.database.rows import make_batch
from fleet_exporters.sinks.database.segments import Segments
from fleet_exporters.sinks.page.prometheus import Exposition
from fleet_exporters.sinks.state import StateFile
from readings import NOW, drain

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
TIMES = "SELECT time FROM telemetry.hardware ORDER BY time"


def test_killed_exporter_loses_nothing_of_its_spool(server, exporter):
    """What was on disk when it was killed in an outage is in the database after its restart."""
    exporter.use(NOWHERE)
    exporter.start()
    wait_until(
        lambda: sum(path.stat().st_size for path in exporter.spool_folder.glob("*.ticks")) > 4000,
        "some ticks are on disk",
    )
    exporter.kill()
    left = Segments(exporter.spool_folder)
    waiting = [taken.time for _, taken in left.peek(1000)]
    exporter.use(server.dsn("alpha"))
    exporter.start()

    def read_times():
        with server.connect() as owner:
            return [row["time"] for row in owner.execute(TIMES)]

    wait_until(lambda: read_times()[len(waiting) :], "old and new readings are stored")
    found = read_times()
    assert len(waiting) > 3
    assert found[: len(waiting)] == waiting
    assert len(set(found)) == len(found)


def test_second_exporter_of_a_node_refuses(exporter):
    """Two would write the same state and spool: the second says who is there, and ends."""
    exporter.use(NOWHERE)
    exporter.start()
    holder = exporter.running.pid
    second = exporter.popen("second")
    code = second.wait(10)

    assert code == 1
    assert f"another exporter of node alpha runs (process {holder}" in exporter.read_log("second")
    assert exporter.running.poll() is None
    assert wait_until(exporter.scrape, "the first still has a page")


def test_lock_is_free_after_a_kill(exporter):
    """A killed exporter does not keep its successor out."""
    exporter.use(NOWHERE)
    exporter.start()
    exporter.kill()
    exporter.start()

    assert wait_until(exporter.scrape, "the successor has a page")


def count_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_day_of_ticks_keeps_nothing(server, ingest, spool, tmp_path):
    """Ticks by the thousand, with outages in between, leave no descriptor and no object behind."""
    page = Exposition()
    exporter = Exporter(
        Sampler({"cpu": lambda: [Sample("fleet_load_1m", {}, 1.0)]}),
        {
            "page": page.publish,
            "state": StateFile(tmp_path).publish,
            "database": lambda tick: spool.put(make_batch(tick, "alpha")),
        },
        ingest.read_status,
    )

    def run(first):
        for number in range(first, first + 300):
            exporter.tick(0, NOW + timedelta(seconds=5 * number))
            if number % 60 > 20:
                ingest.step()
            else:
                spool.settle()
        drain(ingest)
        ingest.close()
        gc.collect()
        return count_descriptors(), len(gc.get_objects())

    run(0)
    before = run(300)
    after = run(600)

    assert after[0] == before[0]
    assert after[1] - before[1] < 300  # less than one a tick


@pytest.mark.parametrize("step", [86_400, -3600], ids=["day-forward", "hour-back"])
def test_clock_step_loses_no_reading(server, ingest, spool, step):
    """Readings bear the time that the clock showed; each is stored, in the order they came."""
    times = [NOW + timedelta(seconds=5 * n + (step if n >= 5 else 0)) for n in range(10)]
    exporter = Exporter(
        Sampler({}), {"database": lambda tick: spool.put(make_batch(tick, "alpha"))}, list
    )
    for time in times[:8]:
        exporter.tick(0, time)
        spool.settle()
    for time in times[8:]:
        exporter.tick(0, time)
    drain(ingest)

    with server.connect() as owner:
        found = owner.execute("SELECT time FROM telemetry.hardware ORDER BY ctid").fetchall()
    assert [row["time"] for row in found] == times
    assert sum(spool.dropped_rows.values()) == 0
