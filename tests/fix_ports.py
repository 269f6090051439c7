"""
Ports for the servers of the tests. A module finds this one through the path that conftest.py sets.
"""

from __future__ import annotations

import socket
import sys


def free_port() -> int:
    """
    Return a loopback port that stays this process's own to its end, however many run beside it.

    On Linux a bound socket that does not listen keeps the port from everyone to whom the kernel
    gives one, while a server that asks for it by number (all set SO_REUSEADDR) may listen there,
    again and again.
    """
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    if sys.platform == "linux":
        probe.detach()  # open until the process ends
    else:
        probe.close()
    return port
