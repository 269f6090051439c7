"""What is decided about peers: pure functions, and what they make of a machine's state."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime

import pytest
from fleet_orchestrator.peers import protocol
from fleet_orchestrator.peers.address import PeerAddress, read_scope
from fleet_orchestrator.peers.protocol import Arrival, Block
from fleet_orchestrator.peers.traffic import Link, Restraint, decide_held_back, is_busy, read_links
from fleet_timescale.errors import SettingsError

MEGABIT = 125_000


def test_first_quarter_of_a_block_is_not_counted():
    """A full buffer lets it through at once; the line's own rate is that of the rest."""
    arrival = Arrival(1000)

    arrival.add(250, at=10.0)  # out of the buffer
    arrival.add(250, at=11.0)
    arrival.add(500, at=13.0)

    assert arrival.left == 0
    assert arrival.measure(at=13.0) == Block(3.0, 750)
    assert arrival.measure(at=13.0).bytes_per_second == 250


def test_block_that_came_at_once_has_no_rate():
    """No time has passed that could be divided by."""
    arrival = Arrival(1000)

    arrival.add(1000, at=10.0)

    assert arrival.measure(at=10.001).bytes_per_second is None


@pytest.mark.parametrize(
    ("told", "rate"),
    [(Block(2.0, 750), 375), (Block(0.1, 750), 500), (Block(0.0, 0), 500)],
    ids=["as-told", "late-listener", "all-at-once"],
)
def test_listener_that_was_late_is_not_believed(told, rate):
    """A thousand bytes were two seconds on their way, whenever the listener looked."""
    assert told.within(1000, 2.0).bytes_per_second == rate


@pytest.mark.parametrize(
    ("rates", "throughput"),
    [((900, 10, 30, 20), 20), ((7,), 7), ((900, 10, None, 20), 15), ((None, None), None),
     ((), None)],
    ids=["median", "slow-line", "one-unknown", "unknown", "nothing-sent"],
)  # fmt: skip
def test_throughput_is_the_median_of_whole_blocks(rates, throughput):
    """The first, smaller one counts only where it was the only one."""
    blocks = [Block(1.0 if rate else 0.0, rate or 0) for rate in rates]

    assert protocol.decide_throughput(blocks) == throughput


@pytest.mark.parametrize(("megabits", "slow"), [(1, True), (2, False), (1000, False)])
def test_slow_line_is_not_filled(megabits, slow):
    """A quarter of a mebibyte holds one megabit for two seconds."""
    first = Block(48 * 1024 / (megabits * MEGABIT), 48 * 1024)

    assert protocol.is_slow(first, 256 * 1024) is slow


@pytest.mark.parametrize(("seconds", "limited"), [(0.01, False), (0.1, True)])
def test_long_ways_limit_what_a_block_can_show(seconds, limited):
    """100 Mbit/s over 100 ms hold 1.2 MB, which a block of 256 KiB never fills."""
    assert protocol.is_window_limited(seconds, 100 * MEGABIT, 256 * 1024) is limited


@pytest.mark.parametrize(
    "line", [b"got x 5\n", b"got 1\n", b"got -1 5\n", b"got nan 5\n", b"got inf 5\n", b"got 1 -5\n",
             b"had 1 5\n", b"got 1 5"],
)  # fmt: skip
def test_odd_measures_are_refused(line):
    """A peer cannot put a number into the matrix that is none."""
    with pytest.raises(protocol.PeerError):
        protocol.parse_got(line)


@pytest.mark.parametrize(
    ("mode", "busy", "reason"),
    [("idle", False, None), ("gaming", True, "gaming"), ("work", False, "work"),
     ("throttling", False, "hot"), ("idle", True, "busy")],
)  # fmt: skip
def test_owner_heat_and_traffic_come_first(mode, busy, reason):
    """Measuring waits until the machine has nothing better to do."""
    assert decide_held_back({"mode": mode}, is_busy=busy) == reason


def test_silent_exporter_holds_back():
    """Nobody knows whether somebody plays."""
    assert decide_held_back(None, is_busy=False) == "unknown"


@pytest.mark.parametrize(("megabits", "busy"), [(20, False), (40, True)])
@pytest.mark.parametrize("way", ["received", "sent"])
def test_link_is_busy_above_three_tenths(megabits, busy, way):
    """Either way, of a link of 100 Mbit/s, over five seconds."""
    before = {"eth0": Link(0, 0, 100 * MEGABIT)}
    count = 5 * megabits * MEGABIT
    now = {"eth0": Link(count if way == "received" else 0, count if way == "sent" else 0,
                        100 * MEGABIT)}  # fmt: skip

    assert is_busy(before, now, 5.0) is busy


def test_new_link_is_not_busy():
    """What it has counted since boot says nothing of now."""
    assert not is_busy({}, {"wg0": Link(10**12, 10**12)}, 5.0)


def test_restraint_knows_state_and_traffic(tmp_path):
    """It reads the exporter's file when it is asked, and compares two looks at the links."""
    counts = iter([0, 10**9])
    times = iter([100.0, 105.0])
    restraint = Restraint(tmp_path, lambda: {"eth0": Link(next(counts), 0)}, lambda: next(times))
    silent = restraint.reason()
    state = {"version": 1, "time": datetime.now(UTC).isoformat(), "mode": "idle"}
    (tmp_path / "state.json").write_text(json.dumps(state))
    restraint.look()
    free = restraint.reason()
    restraint.look()

    assert [silent, free, restraint.reason()] == ["unknown", None, "busy"]


def test_links_of_this_machine_can_be_read():
    """Counts never fall below nothing, speeds are known or assumed."""
    for link in read_links().values():
        assert link.received >= 0
        assert link.speed > 0


@pytest.mark.parametrize(
    ("listen", "announced", "called"),
    [
        ("192.0.2.7:9810", "", "192.0.2.7:4711"),
        ("[::1]:0", "", "[::1]:4711"),
        ("0.0.0.0:0", "box.lan:9810", "box.lan:9810"),
    ],
)
def test_address_is_announced_as_peers_call_it(listen, announced, called):
    """The one that is listened at, with the port that was taken, unless another one is given."""
    environ = {"FLEET_PEER_LISTEN": listen, "FLEET_PEER_ADDRESS": announced}

    assert PeerAddress.from_environ(environ).announce(4711) == called


@pytest.mark.parametrize("environ", [{}, {"FLEET_PEER_LISTEN": ""}])
def test_no_address_is_no_listener(environ):
    """Who sets nothing opens nothing."""
    assert PeerAddress.from_environ(environ) is None


@pytest.mark.parametrize("listen", ["0.0.0.0:9810", "[::]:9810"])
def test_address_of_everywhere_needs_one_to_call(listen):
    """Nobody can call 0.0.0.0."""
    with pytest.raises(SettingsError, match="set FLEET_PEER_ADDRESS"):
        PeerAddress.from_environ({"FLEET_PEER_LISTEN": listen})


def test_loopback_has_the_scope_of_its_machine():
    """The same each time, and empty for what everybody can call."""
    scope = read_scope("127.0.0.1:9810")

    assert scope
    assert scope == read_scope("[::1]:9810") == read_scope("localhost:1")
    assert read_scope("192.0.2.7:9810") == read_scope(f"{socket.gethostname()}.lan:1") == ""
