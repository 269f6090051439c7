"""
Say what this machine is: system, CPU model, architecture, version of the fleet.

By hand: `python -m cpuinfo`, `uname -m`. py-cpuinfo needs seconds, so it is asked once, in the
background, in a process of its own; until it has answered the metric is absent, so that its labels
never change.
"""

from __future__ import annotations

import json
import logging
import platform
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import fleet_timescale

from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

CPUINFO_TIMEOUT = 60  # seconds; a Raspberry Pi Zero needs about 20


def read_cpuinfo() -> str:
    """Return what py-cpuinfo says, as JSON."""
    command = [sys.executable, "-m", "cpuinfo", "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=CPUINFO_TIMEOUT, check=True
    )
    return done.stdout


def parse_cpu_model(text: str) -> str:
    """Return the brand, else the hardware name (ARM boards), else `unknown`."""
    facts = json.loads(text)
    return str(facts.get("brand_raw") or facts.get("hardware_raw") or "unknown").strip()


def read_system() -> str:
    """Return the name of the system as its makers write it."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}".strip()


class NodeInfo:
    """Asks for the CPU's name in the background and remembers the answer."""

    def __init__(
        self,
        cpuinfo: Callable[[], str] = read_cpuinfo,
        system: Callable[[], str] = read_system,
        machine: Callable[[], str] = platform.machine,
    ) -> None:
        self._cpuinfo = cpuinfo
        self._system = system
        self._machine = machine
        self._labels: dict[str, str] | None = None
        self._thread = threading.Thread(target=self._ask, name="cpuinfo", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            model = parse_cpu_model(self._cpuinfo())
        except (OSError, subprocess.SubprocessError, ValueError) as exc:
            logger.warning("py-cpuinfo does not know this CPU", extra={"error": str(exc)})
            model = platform.processor() or "unknown"
        self._labels = {
            "os": self._system(),
            "cpu_model": model,
            "machine": self._machine(),
            "version": fleet_timescale.__version__,
        }

    def wait(self, timeout_seconds: float) -> bool:
        """True once the answer is there; waits for it at most so long."""
        self._thread.join(timeout_seconds)
        return self._labels is not None

    def read(self) -> Iterator[Sample]:
        """Yield fleet_node_info, once everything about it is known."""
        if self._labels is not None:
            yield Sample("fleet_node_info", self._labels, 1)
