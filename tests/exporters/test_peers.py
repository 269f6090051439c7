"""What the agent measured of its peers reaches the page, and leaves it once it is old."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from fleet_exporters.collectors.peers import PEERS_MAX, Peers, parse
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.sample import Sample

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BETA = {"beta": {"round_trip_seconds": 0.002, "throughput_bytes_per_second": 6e6}}


def content(**other):
    """The text of a peers.json."""
    return json.dumps(
        {
            "version": 1,
            "time": NOW.isoformat(),
            "valid_seconds": 180,
            "peers": BETA,
            "calls": {"ok": 3, "timeout": 1},
            "held_back": {"gaming": 2},
            "refused": {"wrong_proof": 5},
            "sent_bytes": 851968,
        }
        | other
    )


def names(samples):
    return {sample.name for sample in samples}


def test_values_of_each_peer_and_counters_are_told():
    """Peers are a label; so are outcomes and reasons."""
    samples = list(parse(content(), NOW))

    assert samples == [
        Sample("fleet_peer_calls_total", {"outcome": "ok"}, 3.0),
        Sample("fleet_peer_calls_total", {"outcome": "timeout"}, 1.0),
        Sample("fleet_peer_held_back_total", {"reason": "gaming"}, 2.0),
        Sample("fleet_peer_refused_total", {"reason": "wrong_proof"}, 5.0),
        Sample("fleet_peer_sent_bytes_total", {}, 851968.0),
        Sample("fleet_peer_round_trip_seconds", {"peer": "beta"}, 0.002),
        Sample("fleet_peer_throughput_bytes_per_second", {"peer": "beta"}, 6e6),
    ]


def test_peer_without_throughput_has_a_round_trip():
    """That is measured first, and alone where nothing may be sent."""
    peers = {"beta": {"round_trip_seconds": 0.002}}
    samples = list(parse(content(peers=peers), NOW))

    assert "fleet_peer_round_trip_seconds" in names(samples)
    assert "fleet_peer_throughput_bytes_per_second" not in names(samples)


def test_old_values_are_told_no_more():
    """An agent that is gone leaves its counters, but no round trip that looks like that of now."""
    samples = list(parse(content(), NOW + timedelta(seconds=181)))

    assert "fleet_peer_calls_total" in names(samples)
    assert "fleet_peer_round_trip_seconds" not in names(samples)


def test_peers_are_bounded():
    """Whatever the file says, the page has the series of twenty peers at most."""
    peers = {f"node-{number}": BETA["beta"] for number in range(50)}
    samples = list(parse(content(peers=peers), NOW))

    assert len({s.labels["peer"] for s in samples if "peer" in s.labels}) == PEERS_MAX


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "restart the node agent"), ("[]", "restart the node agent"),
     (content(version=2), "version 2"), (content(calls=None), "restart the node agent"),
     (content(peers={"beta": {"round_trip_seconds": "x"}}), "restart the node agent")],
    ids=["cut", "list", "version", "counters", "value"],
)  # fmt: skip
def test_bad_file_is_a_broken_sensor(text, message):
    """Half of a file is none: no series of it appears."""
    with pytest.raises(SensorError, match=message):
        list(parse(text, NOW))


@pytest.mark.parametrize("has_folder", [True, False])
def test_no_file_is_no_device(tmp_path, has_folder):
    """A node that is alone, or whose agent does not listen, has no such family."""
    with pytest.raises(NoDevice):
        list(Peers(tmp_path if has_folder else None).read())


def test_file_of_the_folder_is_read(tmp_path):
    """As the agent wrote it there."""
    (tmp_path / "peers.json").write_text(content())

    assert len(list(Peers(tmp_path, lambda: NOW).read())) == 7
