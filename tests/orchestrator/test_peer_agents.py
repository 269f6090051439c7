"""Two agents find each other through the database, and what they measure is stored and shown."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

import psycopg
import pytest
from fix_fleet import wait_until
from fleet_exporters.collectors import peers as collector
from fleet_orchestrator import runtime
from fleet_orchestrator.agent.child import Child
from fleet_orchestrator.node import run
from fleet_orchestrator.peers import agent
from fleet_orchestrator.peers.address import PeerAddress
from fleet_orchestrator.peers.agent import FAILED_SECONDS, Line, Peers
from fleet_orchestrator.peers.listener import Listener
from fleet_orchestrator.settings import NodeSettings

LOOPBACK = PeerAddress("127.0.0.1", 0)
MATRIX = """SELECT node, peer, state, round_trip_seconds, throughput_bytes_per_second
FROM analytics.peer_bandwidth ORDER BY node"""


@pytest.fixture
def start(fleet, tmp_path, beside):
    """Start the agent of a node whose machine does this; return its runtime folder."""
    stop = threading.Event()
    fleet.set("heartbeat_seconds", 0.5)
    fleet.set("peer_round_trip_period_seconds", 2)

    def start_agent(node, mode="idle", address=LOOPBACK):
        folder = tmp_path / node
        folder.mkdir()
        runtime.write(folder / "state.json", {"mode": mode})
        settings = NodeSettings("", folder, "http://127.0.0.1:9/v1", "tiny", node,
                                folder / "events.json", peer_address=address)  # fmt: skip
        connect = lambda: fleet.database.connect(node)  # noqa: E731 - one line
        beside(run, settings, connect, Child(command=("cat",)), stop, 0.2)
        return folder

    yield start_agent
    stop.set()


def heartbeats(fleet, node):
    return fleet.value("SELECT last_heartbeat_at FROM fleet.nodes WHERE node = %s", node)


def test_agents_measure_each_other(fleet, start):
    """Both ways in the matrix; each agent's file has what the exporter shows of the other."""
    folder = start("alpha")
    start("beta")

    rows = wait_until(lambda: find_measured(fleet), "both ways")

    assert [(row["node"], row["peer"], row["state"]) for row in rows] == [
        ("alpha", "beta", "ok"), ("beta", "alpha", "ok")]  # fmt: skip
    assert all(0 < row["round_trip_seconds"] < 5 for row in rows)
    shown = wait_until(lambda: find_gauges(folder), "values of beta")
    assert shown == {"fleet_peer_round_trip_seconds", "fleet_peer_throughput_bytes_per_second"}
    assert fleet.value("SELECT count(*) FROM analytics.peers WHERE sent_bytes > 0") >= 2


def find_measured(fleet):
    """The whole matrix, once both throughputs are known."""
    rows = fleet.rows(MATRIX)
    return rows if len([row for row in rows if row["throughput_bytes_per_second"]]) == 2 else None


def find_gauges(folder):
    """The gauges of beta that the exporter makes of the agent's file, once there are both."""
    with suppress(FileNotFoundError):
        samples = collector.parse((folder / "peers.json").read_text(), datetime.now(UTC))
        names = {sample.name for sample in samples if sample.labels == {"peer": "beta"}}
        return names if len(names) == 2 else None


def test_gamer_is_measured_without_a_byte(fleet, start):
    """Beta's owner plays: the round trip to it is known, nothing is sent to it or by it."""
    start("alpha")
    folder = start("beta", mode="gaming")

    wait_until(lambda: len(fleet.rows(MATRIX)) == 2, "both round trips")

    assert fleet.value("SELECT sum(sent_bytes) FROM telemetry.peers") == 0
    content = wait_until(lambda: runtime.read(folder / "peers.json", datetime.now(UTC)), "its file")
    assert content["held_back"] == {"gaming": content["held_back"]["gaming"]}


def test_agent_without_an_address_is_no_peer(fleet, start):
    """Nothing listens, nobody is told of it."""
    start("alpha", address=None)

    wait_until(lambda: heartbeats(fleet, "alpha"), "a heartbeat")

    assert fleet.rows("SELECT * FROM fleet.peer_agents") == []


def test_agent_lives_without_its_listener(fleet, start, caplog):
    """A port that another program has costs the measuring, not the heartbeats."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        start("alpha", address=PeerAddress(*taken.getsockname()))

        wait_until(lambda: heartbeats(fleet, "alpha"), "a heartbeat")

    assert "Peers cannot be listened for." in caplog.messages


class Refusing:
    """A connection whose database refuses everything."""

    def __init__(self, error):
        self.error, self.asked = error, 0

    def execute(self, *_):
        self.asked += 1
        raise self.error


@pytest.fixture
def alone(tmp_path):
    """The peers of a node that is on its own, and its clock."""
    now = [100.0]
    loop = asyncio.new_event_loop()
    line = Line("192.0.2.7:1", loop, Listener(lambda: None), Unrestrained())
    yield Peers("alpha", tmp_path, line, lambda: now[0]), now
    loop.close()


class Unrestrained:
    """A machine that nothing holds back."""

    def look(self):
        pass

    def reason(self):
        return None


def test_refusal_costs_the_round_only(alone, caplog):
    """The heartbeat goes on; a minute later it is tried again."""
    peers, now = alone
    connection = Refusing(psycopg.errors.InsufficientPrivilege("no"))

    peers.exchange(connection)
    peers.exchange(connection)
    now[0] += FAILED_SECONDS
    peers.exchange(connection)

    assert connection.asked == 2
    assert caplog.messages == ["The network to the peers cannot be measured."] * 2


def test_lost_connection_is_the_agent_s(alone):
    """Whoever holds the connection opens another one."""
    peers, _ = alone
    with pytest.raises(psycopg.OperationalError):
        peers.exchange(Refusing(psycopg.OperationalError("gone")))


def test_end_breaks_off_what_goes_on(tmp_path):
    """A caller that says nothing does not keep the agent from ending."""
    with ExitStack() as open_, agent.beside("alpha", tmp_path, LOOPBACK) as peers:
        host, _, port = peers.address.rpartition(":")
        caller = open_.enter_context(socket.create_connection((host, int(port)), 5))
        assert caller.recv(100).startswith(b"fleet-peer 1 ")

    assert [t.name for t in threading.enumerate() if t.name == "peers"] == []
