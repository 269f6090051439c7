"""The master: one leads, the others stand by, and what the leader publishes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import psycopg
import pytest
from fix_fleet import wait_until
from fix_ports import free_port
from fleet_orchestrator.fleet_metrics import JOB_STATES, NODE_STATES, TASK_STATES, FleetCollector
from fleet_orchestrator.master import Master, Pace, run
from prometheus_client import CollectorRegistry, generate_latest

READING = """
INSERT INTO telemetry.temperatures (time, node, sensor, temperature_celsius)
VALUES (now() - interval '2 hours', 'alpha', 'cpu', 40)"""
# What a measurement that takes as long as the lease leaves behind.
LONG = """
CREATE OR REPLACE FUNCTION telemetry.note_storage(p_after interval DEFAULT '1 hour') RETURNS void
LANGUAGE sql SECURITY DEFINER AS $$
UPDATE fleet.state SET leader_until = now() - interval '1 s' $$"""
QUICK = Pace(tick=0.1, retry=0.1)
SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def page(master):
    """The metrics of a master: value by (name, labels)."""
    registry = CollectorRegistry()
    registry.register(master.collector)
    return parse(generate_latest(registry).decode())


def parse(text):
    return {(name, labels): float(value) for name, labels, value in SERIES.findall(text)}


@pytest.fixture
def contenders(fleet):
    """Two masters and a way to let one of them do a round."""
    connection = fleet.database.connect("fleet_master")
    yield Master(FleetCollector()), Master(FleetCollector()), lambda m: m.tick(connection)
    connection.close()


def test_leader_splits_sweeps_and_settles(fleet, contenders):
    """A round makes tasks of new jobs, takes lost ones back, closes ended ones, and says so."""
    leader, _, tick = contenders
    fleet.rows("SELECT fleet.submit_job('complaint', 3, 'tests')")

    assert tick(leader) == {"tasks_made": 3}
    fleet.claim_one()
    fleet.let_leases_end()
    assert tick(leader) == {"tasks_taken_back": 1}
    for held in fleet.claim(3, "beta"):
        held.write()
    assert tick(leader) == {"jobs_closed": 1}
    assert tick(leader) == {}


def test_leader_rolls_readings_up(fleet, contenders):
    """Minutes and hours are brought up to date by whoever leads."""
    leader, _, tick = contenders
    fleet.rows(READING)

    tick(leader)

    assert fleet.value("SELECT sum(samples)::int FROM analytics.temperatures_1m") == 1
    assert fleet.value("SELECT count(*) > 0 FROM analytics.storage")


def test_readings_that_cannot_be_rolled_up_stop_nothing_else(fleet, contenders, caplog):
    """The master goes on, and says what is wrong."""
    leader, _, tick = contenders
    fleet.rows("ALTER TABLE telemetry.due RENAME TO elsewhere")
    try:
        assert tick(leader) == {}
    finally:
        fleet.rows("ALTER TABLE telemetry.elsewhere RENAME TO due")

    assert "Readings could not be kept in levels." in caplog.text
    assert leader.epoch


def test_long_upkeep_costs_no_lead(fleet, contenders):
    """The lease is renewed after what may take as long; a standby would take over otherwise."""
    leader, _, tick = contenders
    usual = fleet.value("SELECT pg_get_functiondef('telemetry.note_storage'::regproc)")
    fleet.rows(LONG)
    try:
        tick(leader)
    finally:
        fleet.rows(usual)

    assert fleet.value("SELECT leader_until > clock_timestamp() FROM fleet.state")


def test_table_that_cannot_be_rolled_up_is_named(fleet, contenders, caplog):
    """What the upkeep passes over is in the master's log."""
    leader, _, tick = contenders
    fleet.rows(READING)
    fleet.rows("ALTER TABLE telemetry.temperatures_1m ADD CONSTRAINT full_up CHECK (false)")
    try:
        tick(leader)
    finally:
        fleet.rows("ALTER TABLE telemetry.temperatures_1m DROP CONSTRAINT full_up")

    warned = [record.warning for record in caplog.records if hasattr(record, "warning")]
    assert [text.split(":")[0] for text in warned] == [
        "upkeep of temperatures failed at its minute"
    ]


def test_standby_does_nothing_until_the_lease_is_over(fleet, contenders):
    """Only the leader works; when it is silent the standby leads with a higher epoch."""
    leader, standby, tick = contenders
    tick(leader)
    fleet.rows("SELECT fleet.submit_job('complaint', 1, 'tests')")

    assert tick(standby) == {}
    assert fleet.value("SELECT count(*) FROM fleet.tasks") == 0

    fleet.rows("UPDATE fleet.state SET leader_until = now() - interval '1 s'")
    assert tick(standby) == {"tasks_made": 1}
    assert (leader.epoch, standby.epoch) == (1, 2)
    assert tick(leader) == {}


def test_master_that_ends_lets_another_lead_at_once(fleet, contenders):
    """A clean end gives the lease up, so that nobody waits for it."""
    leader, standby, tick = contenders
    tick(leader)
    with fleet.database.connect("fleet_master") as connection:
        leader.resign(connection)

    tick(standby)

    assert standby.epoch == 2


def test_standby_takes_over_within_the_lease(fleet, beside):
    """Two running masters: the leader ends, and the other leads after the lease."""
    fleet.set("leader_lease_seconds", 1)
    masters = [Master(FleetCollector()), Master(FleetCollector())]
    stops = [threading.Event(), threading.Event()]
    for master, stop in zip(masters, stops, strict=True):
        beside(run, lambda: fleet.database.connect("fleet_master"), master, stop, QUICK)
    try:
        wait_until(lambda: any(master.epoch for master in masters), "one leads")
        leading = 0 if masters[0].epoch else 1
        assert masters[1 - leading].epoch is None

        stops[leading].set()

        wait_until(lambda: masters[1 - leading].epoch, "the other leads")
        assert masters[1 - leading].epoch > masters[leading].epoch
    finally:
        for stop in stops:
            stop.set()


def test_leader_publishes_every_family_and_state(fleet, contenders):
    """States without anything in them are 0, not absent; thresholds are those in force."""
    leader, _, tick = contenders
    fleet.set("cpu_hot_celsius", 75)
    fleet.submit(count=2)
    fleet.claim_one().start()
    fleet.rows("SELECT fleet.heartbeat('1.0', 'running', 0)", user="alpha")
    fleet.rows("UPDATE fleet.nodes SET is_expected = false WHERE node = 'beta'")

    tick(leader)
    series = page(leader)

    assert series["fleet_master_leading", ""] == 1
    for name, states, nonzero in (
        ("fleet_jobs", JOB_STATES, {"running": 1}),
        ("fleet_tasks", TASK_STATES, {"running": 1, "pending": 1}),
        ("fleet_nodes", NODE_STATES, {"online": 1, "offline": 1}),
    ):
        for state in states:
            assert series[name, f'state="{state}"'] == nonzero.get(state, 0)
    assert series["fleet_node_heartbeat_timestamp_seconds", 'node="alpha"'] > 1.7e9
    assert ("fleet_node_heartbeat_timestamp_seconds", 'node="beta"') not in series
    assert series["fleet_node_expected", 'node="alpha"'] == 1
    assert series["fleet_node_expected", 'node="beta"'] == 0
    assert series["fleet_paused", ""] == 0
    assert series["fleet_threshold", 'key="cpu_hot_celsius"'] == 75
    thresholds = fleet.rows("SELECT key FROM fleet.settings WHERE is_threshold")
    assert all(("fleet_threshold", f'key="{row["key"]}"') in series for row in thresholds)


def test_states_are_those_of_the_database(fleet):
    """What is published counts every state that a job or a task can have."""
    types = {"fleet.job_state": JOB_STATES, "fleet.task_state": TASK_STATES}
    for type_, states in types.items():
        rows = fleet.rows(f"SELECT unnest(enum_range(NULL::{type_}))::text AS state")
        assert tuple(row["state"] for row in rows) == states


def test_pause_is_published(fleet, contenders):
    """fleet_paused is 1 while the fleet is paused."""
    leader, _, tick = contenders
    fleet.rows("SELECT fleet.set_fleet_state('paused', 'tests', 'why')")

    tick(leader)

    assert page(leader)["fleet_paused", ""] == 1


def test_standby_publishes_only_that_it_does_not_lead(contenders):
    """Two masters never publish the same series; a former leader stops to."""
    leader, standby, tick = contenders
    tick(leader)
    tick(standby)

    assert page(standby) == {("fleet_master_leading", ""): 0}
    leader.collector.forget()
    assert page(leader) == {("fleet_master_leading", ""): 0}


def test_numbers_are_forgotten_while_the_database_is_away(fleet, beside):
    """What cannot be known is not published; the master waits, goes on afterwards and tells it."""
    master, stop, away = Master(FleetCollector()), threading.Event(), threading.Event()

    def connect():
        if away.is_set():
            raise psycopg.OperationalError("away")
        return fleet.database.connect("fleet_master")

    leading = ("fleet_master_leading", "")
    beside(run, connect, master, stop, QUICK)
    try:
        wait_until(lambda: page(master)[leading] == 1, "it leads")
        away.set()
        fleet.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'fleet_master'"
        )
        wait_until(lambda: page(master) == {leading: 0}, "it knows nothing")
        away.clear()
        wait_until(lambda: page(master)[leading] == 1, "it leads again")
    finally:
        stop.set()
    (event,) = fleet.rows("SELECT message FROM analytics.events WHERE kind = 'database_away'")
    assert event["message"].startswith("The master had no database for ")


def test_master_program_serves_its_page(fleet, tmp_path):
    """The real program answers on its address and ends cleanly on SIGTERM."""
    (tmp_path / "dsn").write_text(fleet.database.dsn("fleet_master"))
    listen = f"127.0.0.1:{free_port()}"
    environ = {"PATH": os.environ["PATH"], "FLEET_DATABASE_URL_FILE": str(tmp_path / "dsn"),
               "FLEET_LISTEN": listen}  # fmt: skip
    script = "import sys; from fleet_orchestrator.master import main; sys.exit(main([]))"
    process = subprocess.Popen([sys.executable, "-c", script], env=environ)

    def read():
        try:
            with urllib.request.urlopen(f"http://{listen}/metrics", timeout=5) as answer:
                return parse(answer.read().decode())
        except urllib.error.URLError:
            return {}

    try:
        wait_until(lambda: read().get(("fleet_master_leading", "")) == 1, "it leads")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait()
