"""
The ports of a home: a free block of twenty, chosen at the first start and stored in ports.json.

The search starts at a block derived from the home's path, so that homes side by side rarely
collide and a home made anew gets its old ports.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import psutil

from fleet_stack.home.errors import HomeError, PortError
from fleet_stack.home.files import store_text
from fleet_stack.home.stack import NAMES, SMS_BRIDGE

if TYPE_CHECKING:
    from fleet_stack.home.homes import Home

FIRST, LAST, BLOCK = 20000, 32000, 20  # below the range that Linux gives to outgoing connections
# The agent and its worker listen nowhere; a twin at the ports of those that it stands for.
SERVICES = tuple(name for name in NAMES if name not in {"node", "worker", "twin"})

IsFree = Callable[[int], bool]


def is_free(port: int) -> bool:
    """True when nobody listens on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_block(seed: str, is_free: IsFree = is_free) -> dict[str, int]:
    """Return a port for each service from the first free block; `seed` decides where to begin."""
    blocks = (LAST - FIRST) // BLOCK
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") % blocks
    for step in range(blocks):
        base = FIRST + (start + step) % blocks * BLOCK
        if all(is_free(port) for port in range(base, base + BLOCK)):
            return {service: base + offset for offset, service in enumerate(SERVICES)}
    raise PortError(
        f"no {BLOCK} free ports in a row between {FIRST} and {LAST}; "
        "end some programs that listen there"
    )


def load(home: Home) -> dict[str, int]:
    """Return the stored ports. Raises HomeError when there are none or the file is damaged."""
    path = home.path("ports.json")
    try:
        ports = {str(name): int(port) for name, port in json.loads(path.read_text()).items()}
    except FileNotFoundError as exc:
        raise HomeError(
            f"the first start of {home.root} was interrupted; run `./fleet up` again"
        ) from exc
    except (ValueError, AttributeError, TypeError) as exc:
        raise HomeError(f"{path} is damaged ({exc}); remove it and run `./fleet up`") from exc
    if SMS_BRIDGE not in ports and SERVICES[0] in ports:
        # Made before there was one, with a block of ports that has room for it.
        ports[SMS_BRIDGE] = ports[SERVICES[0]] + SERVICES.index(SMS_BRIDGE)
    missing = set(SERVICES) - set(ports)
    if missing:
        raise HomeError(f"{path} lacks {min(missing)}; remove it and run `./fleet up`")
    return ports


def settle(home: Home) -> dict[str, int]:
    """Return the stored ports; choose and store them at the first start."""
    if home.path("ports.json").exists():
        return load(home)
    ports = choose_block(str(home.root))
    store_text(home.path("ports.json"), json.dumps(ports, indent=2) + "\n")
    return ports


def check(
    ports: Mapping[str, int], services: Collection[str], *, is_free: IsFree = is_free
) -> None:
    """Raise PortError when another program listens on the port of a service to be started."""
    for service in services:
        port = ports.get(service)
        if port is not None and not is_free(port):
            raise PortError(
                f"port {port} of {service} is used by {describe_listener(port)}; end it, "
                "or remove ports.json of the home while the fleet is down to choose other ports"
            )


def describe_listener(port: int) -> str:
    """Return name and process number of the listener, if the system reveals them."""
    try:
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr[1:] == (port,)
                and connection.pid
            ):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass  # not ours to look at: the port number has to do
    return "another process"
