"""The database fails, or the way to it: every reading arrives, once, oldest first."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from functools import partial

import pytest
from fix_fleet import wait_until
from fleet_exporters.sinks.database.spool import KEEP_TICKS
from fleet_exporters.sinks.database.timescale import ANSWER_SECONDS, Ingest
from fleet_timescale.connection import connect
from readings import NOW, ROWS, TICK_SECONDS, batch, drain, open_spool, stored

OUTAGE_TICKS = 120  # ten minutes


@pytest.fixture
def through(proxy, server, spool):
    """The sink of alpha through the proxy, and the clock of its patience."""
    now = [0.0]
    dsn = server.dsn("alpha").replace(f":{server.port}/", f":{proxy.port}/")
    made = Ingest(partial(connect, dsn, "tests"), spool, monotonic=lambda: now[0])
    yield made, now
    made.close()


def test_ten_minutes_without_database_lose_nothing(server, spool, ingest, spool_folder):
    """Readings of an outage wait on disk and come in their order, also those around it."""
    spool.put(batch(0))
    drain(ingest)
    server.stop("fast")
    for number in range(1, OUTAGE_TICKS):
        spool.put(batch(number))
        assert ingest.step() > 0
    rows, oldest = spool.rows, spool.oldest
    files = sorted(spool_folder.iterdir())
    server.start()
    spool.put(batch(OUTAGE_TICKS))
    drain(ingest)

    with server.connect() as owner:
        assert stored(owner) == list(range(OUTAGE_TICKS + 1))
    assert (rows, oldest) == ((OUTAGE_TICKS - 1) * ROWS, batch(1).time)
    assert (len(files), spool.rows, list(spool_folder.iterdir())) == (2, 0, [])


def test_short_outage_writes_nothing_to_disk(spool, spool_folder):
    """A few ticks wait in memory: an SD card sees nothing of a restart of the database."""
    for number in range(KEEP_TICKS):
        spool.put(batch(number))
        spool.settle()

    assert list(spool_folder.iterdir()) == []


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_server_stops_in_the_middle_of_copying(server, spool, mode):
    """A restart and a crash while rows come: what was acknowledged stays, what was not comes."""
    wake, stop = threading.Event(), threading.Event()
    ingest = Ingest(partial(server.connect, "alpha"), spool)
    storing = threading.Thread(target=ingest.run, args=(wake, stop), daemon=True)
    storing.start()
    with server.connect() as owner:
        for number in range(300):
            spool.put(batch(number))
            wake.set()
        wait_until(lambda: stored(owner), "some rows are there")
    server.stop(mode)
    server.start()
    for number in range(300, 320):
        spool.put(batch(number))
    wake.set()
    wait_until(lambda: spool.rows == 0, "all rows are stored")
    stop.set()
    wake.set()
    storing.join(5)

    with server.connect() as owner:
        assert stored(owner) == list(range(320))


@pytest.mark.parametrize(
    "sqlstate", ["53100", "53300", "57P03", "40001", "42501"],
    ids=["disk-full", "too-many-connections", "starting", "serialization", "no-right"],
)  # fmt: skip
def test_database_that_refuses_for_now_gets_all_later(server, spool, ingest, sqlstate):
    """A full disk and the like are no reason to throw readings away."""
    with server.connect() as owner:
        owner.execute(
            f"CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"RAISE EXCEPTION 'not now' USING ERRCODE = '{sqlstate}'; END $$; "
            "CREATE TRIGGER refuse BEFORE INSERT ON telemetry.disks "
            "EXECUTE FUNCTION public.refuse()"
        )
        waits = []
        for number in range(10):
            spool.put(batch(number))
            waits.append(ingest.step())
        during = stored(owner)
        owner.execute("DROP FUNCTION public.refuse CASCADE")
        drain(ingest)

        assert (min(waits) > 0, during, stored(owner)) == (True, [], list(range(10)))
    assert sum(spool.dropped_rows.values()) == 0


def test_cut_off_node_fills_the_gap(proxy, server, spool, through):
    """A node whose network is gone stores what it read meanwhile when it is back."""
    ingest, _ = through
    spool.put(batch(0))
    drain(ingest)
    for number in range(1, 15):
        spool.put(batch(number))
        proxy.reset()
        ingest.step()
    drain(ingest)

    with server.connect() as owner:
        assert stored(owner) == list(range(15))


def test_half_open_connection_is_given_up(proxy, server, spool, through, caplog):
    """A peer that is silent is left after ten seconds; the rows go again over a new connection."""
    ingest, now = through
    spool.put(batch(0))
    drain(ingest)
    proxy.held.clear()
    proxy.stall()
    spool.put(batch(1))
    waits = []
    storing = threading.Thread(target=lambda: waits.append(ingest.step()), daemon=True)
    storing.start()
    assert proxy.held.wait(5)
    ingest.watch()
    is_patient = storing.is_alive()
    now[0] += ANSWER_SECONDS + TICK_SECONDS
    ingest.watch()
    storing.join(5)
    proxy.go_on()
    proxy.reset()
    drain(ingest)

    assert (is_patient, storing.is_alive()) == (True, False)
    assert waits[0] > 0
    assert "database does not answer" in caplog.messages
    with server.connect() as owner:
        assert stored(owner) == [0, 1]


def test_kernel_notices_a_lost_peer_within_15_seconds(server):
    """Keep-alives and unacknowledged data end a connection whose other end is gone."""
    with server.connect() as connection, socket.socket(fileno=connection.fileno()) as raw:
        idle, interval, count, user = (
            raw.getsockopt(socket.IPPROTO_TCP, option)
            for option in (
                socket.TCP_KEEPIDLE,
                socket.TCP_KEEPINTVL,
                socket.TCP_KEEPCNT,
                socket.TCP_USER_TIMEOUT,
            )
        )
        raw.detach()

    assert idle + interval * count <= 15
    assert 0 < user <= 15_000


def test_slow_database_delays_no_tick(proxy, server, spool, through):
    """While a batch is on its way for ever, readings go on being taken and put in line."""
    ingest, _ = through
    proxy.delay_seconds = 0.2
    spool.put(batch(0))
    drain(ingest)
    proxy.delay_seconds = 0.0
    proxy.held.clear()
    proxy.stall()
    spool.put(batch(1))
    storing = threading.Thread(target=ingest.step, daemon=True)
    storing.start()
    assert proxy.held.wait(5)
    for number in range(2, 20):
        spool.put(batch(number))
        ingest.watch()
        ingest.read_status()
    is_stuck = storing.is_alive()
    proxy.go_on()
    storing.join(5)
    drain(ingest)

    assert is_stuck
    with server.connect() as owner:
        assert stored(owner) == list(range(20))


def test_lost_answer_to_a_commit_stores_nothing_twice(proxy, server, spool, through):
    """A batch that was stored, and whose answer was lost, comes again and changes nothing."""
    ingest, _ = through
    spool.put(batch(0))
    number, batches = spool.peek(10)
    drain(ingest)
    spool.put(batches[0])
    spool.put(batch(1))
    drain(ingest)

    assert number == 1
    with server.connect() as owner:
        assert stored(owner) == [0, 1]


def test_restart_in_an_outage_keeps_what_is_on_disk(server, spool, spool_folder):
    """A killed exporter finds its rows again, and those that it sends twice are stored once."""
    for number in range(80):
        spool.put(batch(number))
        spool.settle()
    again = open_spool(spool_folder)
    ingest = Ingest(partial(server.connect, "alpha"), again)
    ingest.step()
    third = open_spool(spool_folder)
    for number in range(80, 90):
        third.put(batch(number))
    last = Ingest(partial(server.connect, "alpha"), third)
    drain(last)
    for each in (ingest, last):
        each.close()

    with server.connect() as owner:
        assert sorted(stored(owner)) == list(range(90))
    assert third.rows == 0


def test_foreign_readings_are_refused_alone(server, spool, ingest):
    """A row in another node's name is dropped and counted; those around it are stored."""
    spool.put(batch(0))
    spool.put(replace(batch(1), rows={"disks": [(NOW, "beta", "/", 1, 2)]}))
    spool.put(batch(2))
    drain(ingest)

    with server.connect() as owner:
        assert stored(owner) == [0, 2]
        assert owner.execute("SELECT FROM telemetry.disks WHERE node = 'beta'").fetchall() == []
    assert spool.dropped_rows["refused"] == 1
