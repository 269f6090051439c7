"""The programs that are compared: our exporter, the same with one hung sensor, node_exporter."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from fleet_stack.fetch import Cache, debian
from scrape import Scraper, read_series

START_SECONDS = 60.0
END_SECONDS = 10.0
POLL_SECONDS = 0.1
PACKAGE = "prometheus-node-exporter"
NEEDED_BYTES = 100_000_000
# What our families read, in node_exporter's words.
COLLECTORS = (
    "cpu", "cpufreq", "meminfo", "loadavg", "filesystem", "diskstats", "netdev", "hwmon",
    "thermal_zone",
)  # fmt: skip
# Series that tell of the exporter or of work, not of the machine.
NOT_OF_THE_MACHINE = (
    "node_scrape_", "node_exporter_", "fleet_collector_", "fleet_samples_", "fleet_tick",
    "fleet_ingest_", "fleet_spool_", "fleet_worker_", "fleet_llm_", "fleet_conversations_",
    "fleet_activity_", "fleet_throttle_", "fleet_cardinality_",
)  # fmt: skip


@dataclass
class Contender:
    """A running exporter and a connection to it."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    #: a metric that is there once the exporter has found out everything
    last_metric: str
    log: Path
    scraper: Scraper = field(init=False)

    def __post_init__(self) -> None:
        self.scraper = Scraper(self.port)

    def wait(self) -> None:
        """Return when the page is complete."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: {self.log.read_text()[-500:]}")
            try:
                if self.last_metric in read_series(self.scraper.scrape()[1]):
                    return
            except (OSError, RuntimeError):  # not listening yet, or no reading yet
                self.scraper.close()
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"{self.name} had no {self.last_metric} within {START_SECONDS:g} s")

    def stop(self) -> None:
        """End the program."""
        self.scraper.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def count_machine_series(names: list[str]) -> int:
    """Return how many series tell of the machine itself."""
    return sum(not name.startswith(NOT_OF_THE_MACHINE) for name in names)


def wait_for(url: str) -> None:
    """Return when a server that was started answers, as one that has loaded its model."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:  # also the error that an answer such as 503 is
            time.sleep(POLL_SECONDS)
    raise RuntimeError(f"{url} did not answer within {START_SECONDS:g} s")


def find_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_ours(
    folder: Path,
    node: str,
    dsn: str,
    tick_seconds: float,
    *,
    name: str = "ours",
    python: str = sys.executable,
) -> Contender:
    """Start `fleet exporter` as the launcher does; `hung` has a family that never answers."""
    runtime, secret, port = folder / node, folder / f"{node}.dsn", find_port()
    runtime.mkdir()
    secret.write_text(dsn)
    home = folder / f"{node}-home"
    home.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
        "FLEET_HOME": str(home),
        "FLEET_LISTEN": f"127.0.0.1:{port}",
        "FLEET_NODE": node,
        "FLEET_RUNTIME_DIR": str(runtime),
        "FLEET_DATABASE_URL_FILE": str(secret),
        "FLEET_TICK_SECONDS": str(tick_seconds),
    }
    command = [python, "-P", "-m", "fleet_stack", "exporter"]
    if name == "hung":
        command = [sys.executable, str(Path(__file__).with_name("hung_exporter.py"))]
    log = folder / f"{name}.log"
    return Contender(name, _spawn(command, log, environment), port, "fleet_node_info", log)


def start_node_exporter(program: Path, folder: Path) -> Contender:
    """Start node_exporter with the collectors that read what ours reads, and nothing else."""
    port = find_port()
    command = [
        str(program),
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.disable-exporter-metrics",
        "--collector.disable-defaults",
        *(f"--collector.{name}" for name in COLLECTORS),
    ]
    log = folder / "node_exporter.log"
    process = _spawn(command, log, {"PATH": os.environ["PATH"]})
    return Contender("node_exporter", process, port, "node_load1", log)


def _spawn(command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, env=environment)


def fetch_node_exporter(folder: Path) -> Path:
    """Return node_exporter out of Debian's package, unpacked below `folder`, not installed."""
    if not debian.is_possible():
        raise RuntimeError("this is no Debian; name a node_exporter with --node-exporter PATH")
    bundle = debian.Bundle("node_exporter", (PACKAGE,), (), NEEDED_BYTES)
    return debian.fetch(Cache(folder), bundle) / "usr/bin" / PACKAGE
