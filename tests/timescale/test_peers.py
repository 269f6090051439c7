"""Who calls whom, with which key, and what is told of it: fleet.peer_round, fleet.record_peers."""

from __future__ import annotations

import hashlib

import pytest
from fix_fleet import fleet_error
from psycopg.types.json import Jsonb

ROUND = "SELECT fleet.peer_round(%s, %s, %s) AS value"
RECORD = "SELECT fleet.record_peers(%s) AS value"
DUE = "SELECT extract(epoch FROM throughput_due_at - now())::float FROM fleet.peer_pairs"
ADDRESSES = {"alpha": "192.0.2.1:9810", "beta": "192.0.2.2:9810"}
OK = {
    "state": "ok",
    "round_trip_seconds": 0.002,
    "throughput_bytes_per_second": 6e6,
    "is_window_limited": False,
    "sent_bytes": 851968,
}


def announce(fleet, node, *, address=None, scope="", held_back=None):
    """What an agent is told in a round."""
    return fleet.value(ROUND, address or ADDRESSES[node], scope, held_back, user=node)


def record(fleet, node, peer, time="2026-01-01 00:00:00+00", **told):
    rows = [OK | {"peer": peer, "time": time} | told]
    return fleet.value(RECORD, Jsonb(rows), user=node)


def matrix(fleet):
    return fleet.rows("SELECT * FROM analytics.peer_bandwidth", user="fleet_analyst")


def let_measurings_end(fleet):
    """Have nobody be part of one any more."""
    fleet.rows("UPDATE fleet.peer_agents SET measuring_until = '-infinity'")


def test_lonely_node_calls_nobody(fleet):
    """The only agent gets the keys of those who may call it, and nobody to call."""
    told = announce(fleet, "alpha")

    assert told["calls"] == []
    assert len(told["keys"]) == 3
    assert told["held_back"] is None
    assert 48 <= told["next_seconds"] <= 72


def test_caller_gets_a_key_that_the_listener_knows(fleet):
    """The key is made of the listener's and the caller's name, and of no other name."""
    keys = [bytes.fromhex(key) for key in announce(fleet, "beta")["keys"]]

    (call,) = announce(fleet, "alpha")["calls"]

    assert (call["peer"], call["address"]) == ("beta", ADDRESSES["beta"])
    name = hashlib.sha256(b"alpha").digest()
    assert bytes.fromhex(call["key"]) in [hashlib.sha256(key + name).digest() for key in keys]


def test_keys_of_listeners_differ(fleet):
    """What a node knows of itself tells nothing of another."""
    assert not set(announce(fleet, "alpha")["keys"]) & set(announce(fleet, "beta")["keys"])


def test_node_takes_part_in_one_measuring_at_a_time(fleet):
    """Alpha sends to beta; meanwhile beta sends to nobody, and is told why."""
    announce(fleet, "beta")

    (first,) = announce(fleet, "alpha")["calls"]
    told = announce(fleet, "beta")

    assert first["is_receiver"]
    assert [call["is_receiver"] for call in told["calls"]] == [False]
    assert told["held_back"] == "peer"


def test_throughput_has_its_own_period(fleet):
    """After it was measured the next rounds measure the round trip alone."""
    announce(fleet, "beta")
    announce(fleet, "alpha")
    let_measurings_end(fleet)

    told = announce(fleet, "alpha")

    assert [call["is_receiver"] for call in told["calls"]] == [False]
    assert told["held_back"] is None
    assert 0.8 * 1800 - 60 < fleet.value(DUE) <= 1.2 * 1800


@pytest.mark.parametrize("reason", ["gaming", "work", "hot", "busy", "unknown"])
@pytest.mark.parametrize("who", ["caller", "listener"])
def test_who_is_held_back_is_left_alone(fleet, who, reason):
    """Nothing is sent while either end has a reason; the round trip is measured all the same."""
    announce(fleet, "beta", held_back=reason if who == "listener" else None)

    told = announce(fleet, "alpha", held_back=reason if who == "caller" else None)

    assert [call["is_receiver"] for call in told["calls"]] == [False]
    assert told["held_back"] == (reason if who == "caller" else "peer")


def test_budget_of_a_day_is_kept(fleet):
    """One measuring fits, a second one does not; the next day it does."""
    fleet.set("peer_probe_budget_bytes", 900_000)
    announce(fleet, "beta")
    announce(fleet, "alpha")
    let_measurings_end(fleet)
    fleet.rows("UPDATE fleet.peer_pairs SET throughput_due_at = '-infinity'")

    assert announce(fleet, "alpha")["held_back"] == "budget"

    fleet.rows("UPDATE fleet.peer_agents SET budget_day = budget_day - 1")
    assert announce(fleet, "alpha")["calls"][0]["is_receiver"]


def test_period_is_stretched_to_the_budget(fleet):
    """Where a measuring costs half of the day's budget there are two a day."""
    fleet.set("peer_probe_budget_bytes", 2 * 851_968)
    announce(fleet, "beta")
    announce(fleet, "alpha")

    assert 0.8 * 43_200 - 60 < fleet.value(DUE) <= 1.2 * 43_200


def test_no_budget_measures_round_trips_only(fleet):
    """0 sends nothing at all."""
    fleet.set("peer_probe_budget_bytes", 0)
    announce(fleet, "beta")

    told = announce(fleet, "alpha")

    assert [call["is_receiver"] for call in told["calls"]] == [False]
    assert told["held_back"] == "budget"


def test_loopback_is_called_from_the_same_machine_only(fleet):
    """127.0.0.1 of another machine would be one's own."""
    announce(fleet, "beta", address="127.0.0.1:9810", scope="boot-1/net-1")

    assert announce(fleet, "alpha", scope="boot-2/net-1")["calls"] == []
    assert len(announce(fleet, "alpha", scope="boot-1/net-1")["calls"]) == 1


@pytest.mark.parametrize(
    "gone",
    [
        "UPDATE fleet.peer_agents SET expires_at = now()",
        "UPDATE fleet.nodes SET removed_at = now() WHERE node = 'beta'",
    ],
    ids=["silent", "removed"],
)
def test_absent_agents_are_not_called(fleet, gone):
    """Neither one that has not announced itself for three rounds, nor one that was sent away."""
    announce(fleet, "beta")
    fleet.rows(gone)

    assert announce(fleet, "alpha")["calls"] == []


def test_round_calls_five_and_in_the_end_everybody(fleet):
    """Those whose turn is longest ago come first."""
    for number in range(12):
        node = f"gamma-{number}"
        fleet.rows("INSERT INTO fleet.nodes (node, node_id) VALUES (%s, gen_random_uuid())", node)
        fleet.rows(
            "INSERT INTO fleet.peer_agents (node, address, scope, expires_at, budget_day)"
            " VALUES (%s, '192.0.2.3:1', '', 'infinity', now())", node,
        )  # fmt: skip

    rounds = [{call["peer"] for call in announce(fleet, "alpha")["calls"]} for _ in range(3)]

    assert [len(called) for called in rounds] == [5, 5, 5]
    assert len(set.union(*rounds)) == 12


@pytest.mark.parametrize("address", ["", "nowhere", "a b:1", "host:port", "[::1:1", None])
def test_bad_address_is_refused(fleet, address):
    """What cannot be called is not handed to anybody."""
    with fleet_error("no address of an agent", "Use host:port", sqlstate="23514"):
        fleet.value(ROUND, address, "", None, user="alpha")


def test_measured_values_are_kept_and_given_back(fleet):
    """A row of telemetry, the pair's place in the matrix, and what the exporter shows."""
    announce(fleet, "beta")
    announce(fleet, "alpha")

    published = record(fleet, "alpha", "beta")

    assert published == {"beta": {"round_trip_seconds": 0.002, "throughput_bytes_per_second": 6e6}}
    (pair,) = matrix(fleet)
    assert {key: pair[key] for key in ("node", "peer", "state", "round_trip_seconds",
                                       "throughput_bytes_per_second", "is_window_limited")} == {
        "node": "alpha", "peer": "beta", "state": "ok", "round_trip_seconds": 0.002,
        "throughput_bytes_per_second": 6e6, "is_window_limited": False}  # fmt: skip
    assert fleet.value("SELECT sent_bytes FROM telemetry.peers") == 851968


def test_round_trip_leaves_the_throughput(fleet):
    """It is measured more often, and says nothing of the other."""
    announce(fleet, "beta")
    announce(fleet, "alpha")
    record(fleet, "alpha", "beta")

    record(fleet, "alpha", "beta", "2026-01-01 00:01:00+00", round_trip_seconds=0.004,
           throughput_bytes_per_second=None, is_window_limited=None, sent_bytes=0)  # fmt: skip

    (pair,) = matrix(fleet)
    assert (pair["round_trip_seconds"], pair["throughput_bytes_per_second"]) == (0.004, 6e6)
    assert pair["throughput_at"] < pair["time"]


def test_what_was_stored_before_changes_nothing(fleet):
    """A batch that is sent again after a lost connection is there once."""
    announce(fleet, "beta")
    announce(fleet, "alpha")
    record(fleet, "alpha", "beta")

    record(fleet, "alpha", "beta")

    assert fleet.value("SELECT count(*) FROM telemetry.peers") == 1


def test_unreachable_peer_is_published_no_more(fleet):
    """Its last values would look like those of now; the matrix says how the call ended."""
    announce(fleet, "beta")
    announce(fleet, "alpha")
    record(fleet, "alpha", "beta")

    published = record(
        fleet, "alpha", "beta", "2026-01-01 00:01:00+00", state="unreachable",
        round_trip_seconds=None, throughput_bytes_per_second=None, sent_bytes=0,
    )  # fmt: skip

    assert published == {}
    (pair,) = matrix(fleet)
    assert (pair["state"], pair["round_trip_seconds"]) == ("unreachable", None)


def test_node_tells_of_peers_that_it_was_told_to_call(fleet):
    """Whatever name it makes up: no row, no series."""
    announce(fleet, "alpha")

    assert record(fleet, "alpha", "beta") == {}
    assert fleet.value("SELECT count(*) FROM telemetry.peers") == 0


def test_twenty_peers_are_published(fleet):
    """Those that follow in the circle of names, so that the series stay the same."""
    names = [f"{letter}-node" for letter in "abcdefghijklmnopqrstuvwxyz"]
    for name in names:
        fleet.rows("INSERT INTO fleet.nodes (node, node_id) VALUES (%s, gen_random_uuid())", name)
        fleet.rows(
            "INSERT INTO fleet.peer_pairs (node, peer, called_at, measured_at, state,"
            " round_trip_seconds) VALUES ('beta', %s, now(), now(), 'ok', 0.1)", name,
        )  # fmt: skip

    published = fleet.value(RECORD, Jsonb([]), user="beta")

    assert sorted(published) == [name for name in names if name > "beta"][:20]


def test_rows_become_minutes_and_hours(fleet):
    """As all readings by time."""
    announce(fleet, "beta")
    announce(fleet, "alpha")
    time = fleet.value("SELECT (now() - interval '2 minutes')::text")
    record(fleet, "alpha", "beta", time)

    fleet.rows("SELECT telemetry.upkeep()")

    (minute,) = fleet.rows("SELECT * FROM analytics.peers_1m")
    assert (minute["round_trip_seconds_avg"], minute["sent_bytes_sum"]) == (0.002, 851968)
    assert (minute["failed_calls"], minute["samples"]) == (0, 1)
    fleet.rows("DELETE FROM telemetry.peers_1m")
