"""Where the agent listens for its peers, and what it tells them of that."""

from __future__ import annotations

import ipaddress
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_timescale import settings
from fleet_timescale.errors import SettingsError

from fleet_orchestrator.agent.identity import read_boot

if TYPE_CHECKING:
    from collections.abc import Mapping

NETWORK = Path("/proc/self/ns/net")


@dataclass(frozen=True)
class PeerAddress:
    """The address to listen at, and the one that peers call; port 0 takes a free one."""

    host: str
    port: int
    announced: str = ""  # host:port; empty: the same

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> PeerAddress | None:
        """Read FLEET_PEER_LISTEN and _PEER_ADDRESS (host:port); None where neither is set."""
        if not environ.get("FLEET_PEER_LISTEN", "").strip():
            return None
        host, port = settings.address(environ, "FLEET_PEER_LISTEN")
        announced = environ.get("FLEET_PEER_ADDRESS", "").strip()
        host = host.strip("[]")
        if announced:
            settings.address(environ, "FLEET_PEER_ADDRESS")
        elif is_any(host):
            raise SettingsError(
                f"FLEET_PEER_LISTEN={host}:{port} is no address that peers can call; "
                "set FLEET_PEER_ADDRESS to one, or listen at one"
            )
        return cls(host, port, announced)

    def announce(self, port: int) -> str:
        """Return what peers call, given the port that was taken."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.announced or f"{host}:{port}"


def is_any(host: str) -> bool:
    """True for an address that stands for all of a machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def is_loopback(announced: str) -> bool:
    """True for an address that leads nowhere but back to the machine."""
    host = announced.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_scope(announced: str) -> str:
    """
    Return who can call an address: empty for everybody.

    A loopback address leads to the same agent only from the same network stack of the same boot.
    """
    if not is_loopback(announced):
        return ""
    try:
        stack = NETWORK.stat().st_ino
    except OSError:  # no Linux: one machine, one stack
        stack = 0
    return f"{platform.node()}/{read_boot()}/{stack}"
