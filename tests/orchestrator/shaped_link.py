"""
Measure a link of a known rate, between two network namespaces. Run by test_peer_links.

    unshare --map-root-user --net python shaped_link.py MEGABITS

makes a second namespace, a pair of devices between them, shapes both ways with tc's token bucket,
has a listener in one and a caller in the other, and prints what the caller measured as JSON.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from fleet_orchestrator.peers import protocol
from fleet_orchestrator.peers.caller import Order, call
from fleet_orchestrator.peers.listener import Listener

HERE, THERE, PORT = "10.213.0.1", "10.213.0.2", 9810
KEY = bytes(32)
BLOCK = 256 * 1024


def do(command, *inside):
    subprocess.run([*inside, *command.split()], check=True, capture_output=True)


def make_link(pid, megabits):
    """Give this namespace and that of a process one end each of a link."""
    enter = ("nsenter", f"--net=/proc/{pid}/ns/net")
    do("ip link add fleet0 type veth peer name fleet1")
    do(f"ip link set fleet1 netns {pid}")
    for device, address, inside in (("fleet0", HERE, ()), ("fleet1", THERE, enter)):
        do(f"ip address add {address}/24 dev {device}", *inside)
        do(f"ip link set {device} up", *inside)
        shape = f"rate {megabits}mbit burst 64kb latency 200ms"
        do(f"tc qdisc add dev {device} root tbf {shape}", *inside)


async def listen():
    """Serve whoever knows the key, until killed."""
    listener = Listener(lambda: None)
    listener.keys, listener.block_bytes = [KEY], BLOCK
    server = await asyncio.start_server(
        listener.serve, THERE, PORT, limit=protocol.STREAM_LIMIT
    )  # fmt: skip
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await server.serve_forever()


def measure(megabits):
    """Return what is measured of a link of so many megabits a second."""
    network = Path("/proc/self/ns/net").readlink()
    with subprocess.Popen(
        ["unshare", "--net", sys.executable, __file__, "listen"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as listener:  # fmt: skip
        try:
            while Path(f"/proc/{listener.pid}/ns/net").readlink() == network:
                time.sleep(0.01)  # it is on its way into its namespace
            make_link(listener.pid, megabits)
            listener.stdin.write("go\n")
            listener.stdin.flush()
            listener.stdout.readline()
            order = Order("beta", THERE, PORT, protocol.derive_key(KEY, "alpha"), is_receiver=True)
            return asyncio.run(call("alpha", order, BLOCK))
        finally:
            listener.kill()


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        sys.stdin.readline()  # the link is there
        asyncio.run(listen())
    else:
        sys.stdout.write(json.dumps(asdict(measure(float(sys.argv[1]))), default=str))
