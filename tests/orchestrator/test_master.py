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
import uuid

import psycopg
import pytest
from fix_fleet import fleet_error, wait_until
from fix_ports import free_port
from fleet_orchestrator.fleet_metrics import JOB_STATES, NODE_STATES, TASK_STATES, FleetCollector
from fleet_orchestrator.master import KEEP_LEVELS, Master, Pace, run
from fleet_orchestrator.rounds import NOTHING, STANDING_BY, STEPS, Round, describe_round
from prometheus_client import CollectorRegistry, generate_latest

READING = """
INSERT INTO telemetry.temperatures (time, node, sensor, temperature_celsius)
VALUES (now() - interval '2 hours', 'alpha', 'cpu', 40)"""
# What a measurement that takes as long as the lease leaves behind.
LONG = """
CREATE OR REPLACE FUNCTION telemetry.note_storage(p_after interval DEFAULT '1 hour') RETURNS void
LANGUAGE sql SECURITY DEFINER AS $$
UPDATE fleet.leader SET lease_until = now() - interval '1 s' $$"""
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
    """A round makes tasks, takes lost ones back, closes jobs, and says what it did and why."""
    leader, _, tick = contenders
    fleet.rows("SELECT fleet.submit_job('complaint', 3, 'tests')")

    said = [tick(leader).sentence]
    fleet.claim_one()
    fleet.let_leases_end()
    said.append(tick(leader).sentence)
    for held in fleet.claim(3, "beta"):
        held.write()
    said.append(tick(leader).sentence)

    assert said == [
        "Made 3 tasks, since open jobs want conversations.",
        "Took back 1 task, since their workers let the leases end.",
        "Closed 1 job, since all of their tasks have ended.",
    ]
    assert tick(leader) == Round(NOTHING)
    told = fleet.rows("SELECT sentence FROM analytics.master_rounds ORDER BY told_at")
    assert [row["sentence"] for row in told] == said


def test_round_with_several_things_is_one_sentence():
    """All that was done stands in one sentence, in the order in which it was done."""
    assert describe_round({"split_jobs": 1, "sweep_tasks": 2, "settle_jobs": 0}) == Round(
        "Took back 2 tasks, since their workers let the leases end; "
        "made 1 task, since open jobs want conversations.",
        has_done=True,
    )


def test_leader_that_was_asleep_writes_nothing(fleet, contenders):
    """Between the proof that it leads and a step, another takes over: the step is refused."""
    leader, standby, tick = contenders
    tick(leader)
    fleet.rows("SELECT fleet.submit_job('complaint', 1, 'tests')")
    connection = fleet.connection("fleet_master")
    keep_lead = leader.lead

    def sleep_after(connection):
        epoch = keep_lead(connection)
        fleet.rows("UPDATE fleet.leader SET lease_until = now() - interval '1 s'")
        assert standby.lead(connection) == epoch + 1
        return epoch

    leader.lead = sleep_after

    assert leader.tick(connection) == Round(STANDING_BY)
    assert fleet.value("SELECT count(*) FROM fleet.tasks") == 0
    assert page(leader) == {("fleet_master_leading", ""): 0}


@pytest.mark.parametrize("step", [*(step.name for step in STEPS), "fold_counts", *KEEP_LEVELS])
def test_each_step_is_for_the_leader_of_the_term(fleet, step):
    """No step is done for a master that does not lead, nor for the term before."""
    master = uuid.uuid4()
    epoch = fleet.value("SELECT fleet.lead(%s)", master, user="fleet_master")

    for who, term in ((uuid.uuid4(), epoch), (master, epoch - 1)):
        with fleet_error("does not lead term", sqlstate="FL002"):
            fleet.rows("SELECT fleet.do_upkeep(%s, %s, %s)", who, term, step, user="fleet_master")
    fleet.rows("SELECT fleet.do_upkeep(%s, %s, %s)", master, epoch, step, user="fleet_master")


def test_node_that_changes_is_told(fleet, contenders):
    """Online, stale, offline: each change is one event, which says who is silent."""
    leader, _, tick = contenders
    fleet.rows("SELECT fleet.heartbeat('1.0', 'running', 0)", user="alpha")
    for age in (0, 60, 60, 200):
        fleet.rows(
            "UPDATE fleet.nodes SET last_heartbeat_at = now() - make_interval(secs => %s)"
            " WHERE node = 'alpha'",
            age,
        )
        tick(leader)

    events = fleet.rows(
        "SELECT severity, kind, message FROM analytics.events WHERE node = 'alpha' ORDER BY time"
    )
    assert [tuple(row.values()) for row in events] == [
        ("info", "node_online", "alpha is online: exporter is silent."),
        ("warning", "node_stale", "alpha is stale: agent and exporter are silent."),
        ("warning", "node_offline", "alpha is offline: agent and exporter are silent."),
    ]


def test_age_of_the_levels_is_published(fleet, contenders):
    """It counts from the last round in which all could be rolled up."""
    leader, _, _ = contenders
    now = [100.0]
    leader.clock = lambda: now[0]
    connection = fleet.connection("fleet_master")
    series = ("fleet_levels_upkeep_timestamp_seconds", "")
    leader.tick(connection)
    first = page(leader)[series]
    fleet.rows(READING)
    fleet.rows("ALTER TABLE telemetry.temperatures_1m ADD CONSTRAINT full_up CHECK (false)")
    try:
        now[0] += 31
        leader.tick(connection)
        assert page(leader)[series] == first
    finally:
        fleet.rows("ALTER TABLE telemetry.temperatures_1m DROP CONSTRAINT full_up")
    now[0] += 31
    leader.tick(connection)

    assert page(leader)[series] > first


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
        assert tick(leader) == Round(NOTHING)
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

    assert fleet.value("SELECT lease_until > clock_timestamp() FROM fleet.leader")


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

    assert tick(standby) == Round(STANDING_BY)
    assert fleet.value("SELECT count(*) FROM fleet.tasks") == 0

    fleet.rows("UPDATE fleet.leader SET lease_until = now() - interval '1 s'")
    assert tick(standby).has_done
    assert (leader.epoch, standby.epoch) == (1, 2)
    assert tick(leader) == Round(STANDING_BY)
    assert page(standby)["fleet_master_failover_timestamp_seconds", ""] > 1.7e9


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


def test_new_job_is_split_at_once(fleet, beside):
    """An order wakes the master long before its next round."""
    stop = threading.Event()
    waiting = Pace(tick=600, retry=0.1)
    beside(
        run, lambda: fleet.database.connect("fleet_master"), Master(FleetCollector()), stop, waiting
    )
    listens = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN fleet_jobs'"
    wait_until(lambda: fleet.value(listens), "the master listens")
    try:
        fleet.rows("SELECT fleet.submit_job('complaint', 2, 'tests')")

        wait_until(lambda: fleet.value("SELECT count(*) FROM fleet.tasks"), "the job is split")
    finally:
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


def test_emergency_stop_is_published(fleet, contenders):
    """It counts as a pause too; who has not acknowledged counts unless its node is offline."""
    leader, _, tick = contenders
    fleet.rows("SELECT fleet.heartbeat('1.0', 'running', 0)", user="alpha")
    fleet.rows("SELECT fleet.emergency_stop('tests', 'why')")
    tick(leader)
    names = ("fleet_paused", "fleet_stopped", "fleet_stop_unacknowledged_nodes")
    assert [page(leader)[name, ""] for name in names] == [1, 1, 1]

    (row,) = fleet.rows("SELECT * FROM fleet.open_commands()", user="alpha")
    fleet.rows("SELECT fleet.acknowledge_command(%s)", row["command_id"], user="alpha")
    leader.clock = lambda: float("inf")
    tick(leader)
    assert [page(leader)[name, ""] for name in names] == [1, 1, 0]


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
        nothing = {leading: 0, ("fleet_database_up", ""): 0}
        wait_until(lambda: page(master) == nothing, "it knows nothing")
        away.clear()
        wait_until(lambda: page(master)[leading] == 1, "it leads again")
        assert page(master)["fleet_database_up", ""] == 1
    finally:
        stop.set()
    (event,) = fleet.rows("SELECT message FROM analytics.events WHERE kind = 'database_away'")
    assert event["message"].startswith("The master had no database for ")


class Program:
    """The real master as a process of its own."""

    def __init__(self, folder, dsn):
        (folder / "dsn").write_text(dsn)
        self.listen = f"127.0.0.1:{free_port()}"
        environ = {"PATH": os.environ["PATH"], "FLEET_DATABASE_URL_FILE": str(folder / "dsn"),
                   "FLEET_LISTEN": self.listen}  # fmt: skip
        script = "import sys; from fleet_orchestrator.master import main; sys.exit(main([]))"
        self.process = subprocess.Popen([sys.executable, "-c", script], env=environ)

    def read(self):
        """Its page; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.listen}/metrics", timeout=5) as answer:
                return parse(answer.read().decode())
        except (urllib.error.URLError, TimeoutError):
            return {}

    def leads(self):
        return self.read().get(("fleet_master_leading", "")) == 1

    def stands_by(self):
        return self.read() == {("fleet_master_leading", ""): 0, ("fleet_database_up", ""): 1}


@pytest.fixture
def start_master(fleet, tmp_path):
    programs = []

    def start():
        programs.append(Program(tmp_path, fleet.database.dsn("fleet_master")))
        return programs[-1]

    yield start
    for program in programs:
        program.process.kill()
        program.process.wait()


@pytest.fixture
def pair(fleet, start_master):
    """Two master processes side by side: the one that leads, and the one that stands by."""
    fleet.set("leader_lease_seconds", 2)
    first = start_master()
    wait_until(first.leads, "the first leads")
    second = start_master()
    wait_until(second.stands_by, "the second stands by")
    return first, second


def find_failovers(fleet):
    rows = fleet.rows("SELECT message FROM analytics.events WHERE kind = 'node_failover'")
    return [row["message"] for row in rows]


def test_killed_leader_is_followed_by_the_standby(fleet, pair):
    """kill -9 of the leader: the other one leads, it is told once, and work goes on."""
    leader, standby = pair

    leader.process.kill()

    wait_until(standby.leads, "the standby leads")
    fleet.rows("SELECT fleet.submit_job('complaint', 1, 'tests')")
    wait_until(lambda: fleet.value("SELECT count(*) FROM fleet.tasks"), "the job is split")
    (told,) = find_failovers(fleet)
    assert told.startswith("A standby master leads now (term 2)")


def test_leader_that_was_stopped_for_long_is_fenced(fleet, pair):
    """SIGSTOP, a takeover, SIGCONT: the old leader stands by, and the new one keeps the lead."""
    leader, standby = pair
    leader.process.send_signal(signal.SIGSTOP)
    wait_until(standby.leads, "the standby leads")

    leader.process.send_signal(signal.SIGCONT)

    wait_until(leader.stands_by, "the old leader has noticed")
    assert standby.leads()
    assert fleet.value("SELECT epoch FROM analytics.master") == 2
    assert len(find_failovers(fleet)) == 1


def test_master_program_ends_cleanly(start_master, fleet):
    """SIGTERM: it ends with 0, and gives the lead up."""
    program = start_master()
    wait_until(program.leads, "it leads")

    program.process.send_signal(signal.SIGTERM)

    assert program.process.wait(5) == 0
    assert fleet.value("SELECT master_id FROM analytics.master") is None
