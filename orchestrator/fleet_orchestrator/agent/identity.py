"""
On which machine this agent runs, so that a copied disk is noticed.

The id of a node is a file, and files are copied with the disk. Two agents that speak for one node
at once are told apart by the boot, the host name and the folder in which they run.
"""

from __future__ import annotations

import hashlib
import logging
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

logger = logging.getLogger(__name__)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LENGTH = 16


@dataclass(frozen=True)
class Machine:
    """This machine as one home on it sees it."""

    fingerprint: str
    host: str


def read_boot(file: Path = BOOT_ID) -> str:
    """Return what is another one after each boot: Linux' own id, elsewhere the time of the boot."""
    try:
        return file.read_text().strip()
    except OSError:
        return str(int(psutil.boot_time()))


def read_machine(folder: Path) -> Machine:
    """Return the machine; `folder` is one of the home."""
    host = platform.node() or "an unnamed host"
    facts = "\n".join([read_boot(), host, str(folder.resolve())])
    return Machine(hashlib.sha256(facts.encode()).hexdigest()[:LENGTH], host)


def hold(connection: Connection, machine: Machine) -> str | None:
    """Say that we speak for the node; return the host that does so already, None when it is us."""
    row = connection.execute(
        "SELECT * FROM fleet.hold_node(%s, %s)", [machine.fingerprint, machine.host]
    ).fetchall()[0]
    return None if row["is_held"] else str(row["holder"])


def describe_duplicate(node: str, machine: Machine, holder: str) -> str:
    """Return what the refused machine tells its person."""
    return (
        f"another machine ({holder}) runs as node {node} already, so this one ({machine.host}) "
        "does not work: one home is a copy of the other. Remove this home (`./fleet down --purge`) "
        "and join the fleet again, or stop the other machine"
    )
