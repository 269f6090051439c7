"""What is measured of links whose rate is known: shaped by the kernel, and by a proxy of ours."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from faults.proxy import Proxy
from fleet_orchestrator.peers import protocol
from fleet_orchestrator.peers.caller import Order, call
from fleet_orchestrator.peers.listener import Listener

SCRIPT = Path(__file__).parent / "shaped_link.py"
IN_A_NAMESPACE = ("unshare", "--map-root-user", "--net")
MEGABIT = 125_000
KEY = bytes(32)
BLOCK = 256 * 1024
# A busy machine looks late, which makes a link seem slower; headers take a twentieth of it.
LEAST, MOST = 0.5, 1.1


@pytest.fixture(scope="module")
def namespaces():
    """Skip where the kernel or a container's rules allow no namespace or no shaping."""
    for program in ("unshare", "nsenter", "ip", "tc"):
        if shutil.which(program) is None:
            pytest.skip(f"no network namespaces here: {program} is not installed")
    probe = "ip link add fleet0 type veth peer name fleet1 && tc qdisc add dev fleet0 root tbf"
    done = subprocess.run(
        [*IN_A_NAMESPACE, "sh", "-c", f"{probe} rate 1mbit burst 64kb latency 50ms"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no network namespaces here: {done.stderr.strip()}")


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("megabits", [2, 20, 50])
def test_shaped_link_is_measured(megabits):
    """Between two network namespaces with a token bucket on either end of the link."""
    done = subprocess.run(
        [*IN_A_NAMESPACE, sys.executable, SCRIPT, str(megabits)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    made = json.loads(done.stdout)
    share = made["throughput_bytes_per_second"] / (megabits * MEGABIT)
    assert made["state"] == "ok"
    assert LEAST < share < MOST
    assert 0 < made["round_trip_seconds"] < 1


@pytest.fixture
def proxied():
    """A listener behind a proxy of ours, in a loop of its own."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    listener = Listener(lambda: None)
    listener.keys, listener.block_bytes = [KEY], BLOCK
    ports = []

    async def listen():
        server = await asyncio.start_server(
            listener.serve, "127.0.0.1", 0, limit=protocol.STREAM_LIMIT
        )
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        async with server:
            await ended.wait()

    ended = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(listen(),))
    thread.start()
    ready.wait()
    proxy = Proxy(ports[0])
    yield proxy
    proxy.close()
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()


def test_slow_way_is_measured(proxied):
    """A proxy that lets 16 Mbit/s through and keeps each answer back for 20 ms."""
    proxied.bytes_per_second = 16 * MEGABIT
    proxied.delay_seconds = 0.02
    order = Order(
        "beta", "127.0.0.1", proxied.port, protocol.derive_key(KEY, "alpha"), is_receiver=True
    )

    made = asyncio.run(call("alpha", order, BLOCK))

    assert made.state == "ok"
    assert LEAST < made.throughput_bytes_per_second / (16 * MEGABIT) < MOST
    assert 0.02 <= made.round_trip_seconds < 0.5


def test_way_that_swallows_everything_ends(proxied):
    """Connected, then not a word: a time-out after the caller's patience."""
    proxied.stall()
    order = Order("beta", "127.0.0.1", proxied.port, bytes(32), is_receiver=True)

    made = asyncio.run(call("alpha", order, BLOCK, 0.3))

    assert (made.state, made.sent_bytes) == ("timeout", 0)
