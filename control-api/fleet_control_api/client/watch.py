"""`fleet watch`: nodes and jobs, live in the terminal until q or Ctrl-C; over a pipe once."""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.live import Live

from fleet_control_api.client.board import OPEN_STATES, Board, Snapshot
from fleet_control_api.client.screen import make_console
from fleet_control_api.client.verbs import add
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from fleet_control_api.client.remote import Remote
    from fleet_control_api.client.verbs import Answer

    IsAskedToEnd = Callable[[float], bool]  # waits so many seconds for a key that ends

ENDED_JOBS = 5  # that are shown below those that are open
REDRAW_SECONDS = 0.5  # ages go on while the API is not asked
INTERVAL_SECONDS = 2.0
INTERVAL_SECONDS_MAX = 3600.0
KEYS_AT_ONCE = 64  # bytes; none means that the terminal has gone


def watch(remote: Remote, arguments: argparse.Namespace) -> Answer | None:
    """Show the fleet, once or until somebody has seen enough."""
    console = make_console(sys.stdout)
    seen = read_snapshot(remote)
    if arguments.once or arguments.json or not console.is_terminal:
        return seen.to_json(), Board(seen, seen.time)
    # Ctrl-C is how one leaves, not a failure.
    with suppress(KeyboardInterrupt), reading_keys() as is_asked_to_end:
        run(remote, console, seen, arguments.interval, is_asked_to_end)
    return None


def run(
    remote: Remote,
    console: Console,
    seen: Snapshot,
    interval_seconds: float,
    is_asked_to_end: IsAskedToEnd,
) -> None:
    """Draw again and again; an API that falls silent is told above what it said last."""
    asked = time.monotonic()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(Board(seen, datetime.now(UTC), console.height), refresh=True)
            if is_asked_to_end(REDRAW_SECONDS):
                return
            if time.monotonic() - asked >= interval_seconds:
                try:
                    seen = read_snapshot(remote)
                except ClientError as exc:
                    seen = replace(seen, problem=str(exc))
                asked = time.monotonic()


def read_snapshot(remote: Remote) -> Snapshot:
    """Ask the API for what is shown."""
    jobs = [
        job
        for state in OPEN_STATES
        for job in remote.read_all("/jobs", "jobs", {"state": state})["jobs"]
    ]
    last = remote.call("GET", "/jobs", query={"limit": ENDED_JOBS})["jobs"]
    return Snapshot(
        fleet=remote.call("GET", "/fleet"),
        nodes=remote.read_all("/nodes", "nodes")["nodes"],
        jobs=[*jobs, *(job for job in last if job["state"] not in OPEN_STATES)],
        time=datetime.now(UTC),
    )


@contextmanager
def reading_keys() -> Iterator[IsAskedToEnd]:
    """Let single keys come in without Enter; the terminal is as it was afterwards."""
    if os.name != "posix" or not sys.stdin.isatty():
        yield _wait
        return
    import termios  # noqa: PLC0415 - Windows has none
    import tty  # noqa: PLC0415 - likewise

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield _wait_for_key
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _wait(seconds: float) -> bool:
    """Let the time pass where no key can be read."""
    time.sleep(seconds)
    return False


def _wait_for_key(seconds: float) -> bool:
    """Return whether q was pressed within so many seconds."""
    is_ready = bool(select.select([sys.stdin], [], [], seconds)[0])
    keys = os.read(sys.stdin.fileno(), KEYS_AT_ONCE) if is_ready else None
    return keys is not None and (not keys or b"q" in keys.lower())


def add_watch(nouns: Any) -> None:
    """Add the command to the command line."""
    summary = "show nodes and jobs live; q or Ctrl-C ends"
    parser = add(nouns, "watch", watch, summary, route="GET /fleet")
    parser.add_argument("--once", action="store_true", help="print the table and end")
    parser.add_argument(
        "--interval",
        type=parse_interval,
        default=INTERVAL_SECONDS,
        metavar="S",
        help="ask the API each S seconds",
    )


def parse_interval(text: str) -> float:
    """Return the seconds between two questions; fewer than a half would only load the API."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not REDRAW_SECONDS <= seconds <= INTERVAL_SECONDS_MAX:
        said = f"must be from {REDRAW_SECONDS} to {INTERVAL_SECONDS_MAX} seconds, not {text!r}"
        raise argparse.ArgumentTypeError(said)
    return seconds
