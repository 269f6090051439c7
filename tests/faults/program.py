"""The real exporter as a process: started, scraped, killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from fix_fleet import wait_until
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = "import sys; from fleet_exporters.cli import main; sys.exit(main([]))"


class Program:
    """One exporter of node alpha; its folders outlive it."""

    def __init__(self, folder: Path, dsn: str):
        self._folder = folder
        for name in ("run", "home"):
            (folder / name).mkdir(exist_ok=True)
        self.use(dsn)
        self.running = None
        self.port = 0

    @property
    def runtime_folder(self):
        return self._folder / "run"

    @property
    def spool_folder(self):
        return self._folder / "home" / "spool" / "alpha"

    def use(self, dsn):
        """Have the next start use another database."""
        (self._folder / "dsn").write_text(dsn)

    def popen(self, log_name="log"):
        with (self._folder / log_name).open("w") as log:
            return self._popen(log)

    def _popen(self, log):
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND],
            env={
                "PATH": os.defpath,
                "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
                "FLEET_LISTEN": "127.0.0.1:0",
                "FLEET_NODE": "alpha",
                "FLEET_RUNTIME_DIR": str(self.runtime_folder),
                "FLEET_HOME": str(self._folder / "home"),
                "FLEET_DATABASE_URL_FILE": str(self._folder / "dsn"),
                "FLEET_TICK_SECONDS": "0.1",
            },
            stderr=log,
        )

    def start(self):
        """Start it and wait until it listens."""
        self.running = self.popen()
        self.port = wait_until(self._read_port, "the exporter listens")

    def _read_port(self):
        log = self.read_log()
        assert self.running.poll() is None, log
        entries = [json.loads(line) for line in log.splitlines(keepends=True) if "\n" in line]
        return next((entry["port"] for entry in entries if "port" in entry), 0)

    def read_log(self, log_name="log"):
        return (self._folder / log_name).read_text()

    def kill(self):
        """Kill it as the kernel does, without a chance to write anything."""
        if self.running is not None:
            self.running.kill()
            self.running.wait()
            self.running = None

    def scrape(self):
        """Return value by series; None while there is no page."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as answer:
            answer.close()
            return None
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
