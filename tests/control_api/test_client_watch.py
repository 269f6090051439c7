"""`fleet watch`: what it shows, when it ends."""

from __future__ import annotations

import io
import json
import os
import pty
from datetime import UTC, datetime

import pytest
from fleet_control_api.client import Place, main, watch
from fleet_control_api.client.board import Board, Snapshot, share_lines
from fleet_control_api.client.screen import render_plain
from fleet_control_api.service.errors import ClientError
from rich.console import Console

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
NODE = {
    "node": "gamer-1",
    "state": "online",
    "worker_state": "running",
    "mode": "work",
    "throttle_factor": 1.0,
    "tokens_per_second": 41.5,
    "cpu_temperature_celsius": 61.2,
    "gpu_temperature_celsius": None,
    "last_heartbeat_at": "2026-11-28T11:59:57+00:00",
}
JOB = {
    "job_id": "3f2a91c4-0000-4000-8000-000000000001",
    "state": "running",
    "scenario": "healthcare_billing",
    "done": 12,
    "wanted": 20,
    "rejected": 1,
    "progress_ratio": 0.65,
    "eta_p50_at": "2026-11-28T12:12:00+00:00",
}
SEEN = Snapshot({"state": "running"}, [NODE], [JOB], NOW)


def draw(board, width=80):
    """What a terminal shows, without colours."""
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=True, color_system=None).print(board)
    return file.getvalue()


def test_terminal_of_80_columns_shows_everything():
    """Each row in one line, jobs with a bar."""
    shown = draw(Board(SEEN, NOW))

    assert "Fleet running   1 of 1 nodes online   42 tokens/s" in shown
    assert "gamer-1  online  running  work         1      41.5  61 °C    -  3 s ago" in shown
    [job] = [line for line in shown.splitlines() if line.startswith("3f2a91c4 ")]
    assert "━" in job
    assert job.rstrip().endswith("12/20         1  in 12 min")
    assert max(map(len, shown.splitlines())) <= 80


def test_pipe_gets_whole_ids_and_no_bars():
    """Plain lines for programs."""
    shown = render_plain(Board(SEEN, NOW))

    assert JOB["job_id"] in shown
    assert "━" not in shown


def test_silent_api_is_told_above_what_it_said_last():
    """The rows stay."""
    shown = draw(Board(Snapshot(SEEN.fleet, [NODE], [JOB], NOW, "it does not answer"), NOW))

    assert "it does not answer; as it was then" in shown
    assert "gamer-1" in shown


@pytest.mark.parametrize(
    ("nodes", "jobs", "height", "shown"),
    [
        (50, 50, None, (50, 50)),
        (3, 4, 24, (3, 4)),
        (50, 50, 24, (8, 8)),
        (50, 2, 24, (14, 2)),
        (2, 50, 24, (2, 14)),
        (50, 50, 1, (1, 1)),
    ],
)
def test_rows_fit_the_screen(nodes, jobs, height, shown):
    """What one list leaves, the other takes."""
    assert share_lines(nodes, jobs, height) == shown


def test_rows_without_room_are_counted():
    """And the screen does not scroll."""
    many = Snapshot(SEEN.fleet, [NODE] * 50, [JOB] * 50, NOW)
    shown = draw(Board(many, NOW, height=24))

    assert "… and 42 more nodes" in shown
    assert "… and 42 more jobs" in shown
    assert len(shown.splitlines()) <= 24


class Scripted:
    """Waits for no key; ends when asked for the last time."""

    def __init__(self, times):
        self.left = times

    def __call__(self, _seconds):
        self.left -= 1
        return self.left == 0


class Silent:
    """An API that no longer answers."""

    def read_all(self, path, key, query=None):
        raise ClientError("it does not answer")


def test_watching_goes_on_while_the_api_is_silent():
    """The problem is drawn instead of ending; the key ends."""
    file = io.StringIO()
    console = Console(file=file, width=80, height=24, force_terminal=True, color_system=None)
    watch.run(Silent(), console, SEEN, 0.0, Scripted(2))

    assert "it does not answer; as it was then" in file.getvalue()


def test_pipe_prints_once(served_url, api, capsys):
    """As with --once; --json is for programs."""
    token = api.token("viewer")
    assert main(["watch"], Place({}, served_url, token)) == 0
    assert "of 2 nodes online" in capsys.readouterr().out
    assert main(["watch", "--json"], Place({}, served_url, token)) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"fleet", "nodes", "jobs"}


@pytest.mark.parametrize("interval", ["0", "-1", "nan", "often", "1e9"])
def test_interval_that_cannot_be_is_wrong_usage(interval, capsys):
    """Exit code 2, and what it may be."""
    with pytest.raises(SystemExit, match="2"):
        main(["watch", "--interval", interval], Place({}))
    assert "must be from 0.5 to 3600.0 seconds" in capsys.readouterr().err


def test_q_ends_and_other_keys_do_not(monkeypatch):
    """A key counts without Enter, and the terminal is as it was afterwards."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        with watch.reading_keys() as is_asked_to_end:
            os.write(ours, b"x")
            assert not is_asked_to_end(5)
            os.write(ours, b"q")
            assert is_asked_to_end(5)
    os.close(ours)
