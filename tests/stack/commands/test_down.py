"""What `down` finds of a home that was deleted by hand."""

from __future__ import annotations

import os
import subprocess
import sys

from fleet_stack.commands import down
from fleet_stack.home import runtime
from fleet_stack.home.homes import Home
from fleet_stack.run.shutdown import MARK

SLEEPER = [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)"]


def test_what_lies_outside_of_a_deleted_home_is_ended_and_removed(tmp_path):
    """`rm -r` reaches neither its processes nor its runtime folder; `down --purge` does."""
    home = Home(tmp_path / "gone")
    base = runtime.prepare(home, os.environ, None)
    environment = {**os.environ, MARK: str(home.root)}
    with subprocess.Popen(SLEEPER, env=environment, stdout=subprocess.PIPE) as left:
        left.stdout.readline()  # runs, with its environment
        down.end_leftover(home, lambda _line: None)
        left.wait(10)  # raises when it still runs
    assert not base.exists()
