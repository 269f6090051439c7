"""Processes of a home are found by the mark that they inherit, and ended."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest
from fleet_stack.home.homes import Home
from fleet_stack.run import shutdown

SLEEP = "print('ready', flush=True); import time; time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


def spawn(home, code=SLEEP):
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, shutdown.MARK: str(home.root)},
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    return process


@pytest.fixture
def orphan(tmp_path):
    process = spawn(Home(tmp_path))
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_only_processes_of_this_home_are_found(orphan, tmp_path):
    """Another home's processes, and our own, are not touched."""
    assert [orphan.pid] == [process.pid for process in shutdown.find_processes(Home(tmp_path))]
    assert shutdown.find_processes(Home(tmp_path / "other")) == []


def test_orphans_are_ended(orphan, tmp_path):
    """Asked politely they are gone at once."""
    shutdown.end_processes(shutdown.find_processes(Home(tmp_path)))

    assert orphan.wait(timeout=1) is not None


def test_process_that_ignores_the_request_is_killed(tmp_path):
    """`down` leaves no process, whatever it thinks about SIGTERM."""
    process = spawn(Home(tmp_path), STUBBORN)
    shutdown.end_processes([psutil.Process(process.pid)], grace_seconds=0.2)

    assert not psutil.pid_exists(process.pid)
    process.wait()
    process.stdout.close()
