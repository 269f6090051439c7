"""`fleet down [--purge]`: stop every process of a home; with --purge, remove its state as well."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.commands.progress import Progress, begin
from fleet_stack.home import homes, placement, runtime, stack
from fleet_stack.run import shutdown

if TYPE_CHECKING:
    from fleet_stack.home import Home


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="fleet down", description="Stop everything.")
    parser.add_argument(
        "--purge", action="store_true", help="remove the state of this home as well"
    )
    arguments = parser.parse_args(argv)
    home = homes.locate(os.environ)
    progress = begin()
    if not homes.exists(home):
        progress(f"there is no fleet in {home.root}")
        if arguments.purge:
            end_leftover(home, progress)
        return 0
    down(home, progress, purges=arguments.purge)
    return 0


def end_leftover(home: Home, progress: Progress) -> None:
    """Stop and remove what a home that was deleted by hand has left outside of its folder."""
    shutdown.stop(home, runtime.locate(home, os.environ))
    note = placement.purge(home, "")
    if note:
        progress(note)


def down(home: Home, progress: Progress, *, purges: bool) -> None:
    """Stop all processes of the home and remove its runtime folder."""
    record = homes.load(home)
    with homes.lock(home):
        decision = stack.load(home)
        # Without a decision: of a home whose folder was deleted by hand, something may be left.
        shutdown.stop(
            home, Path(decision.runtime) if decision else runtime.locate(home, os.environ)
        )
        progress("everything is down")
        if purges:
            note = placement.purge(home, record.postgres_folder)
            rest = homes.purge(home)
            if note:
                progress(note)
            if rest:
                progress(
                    f"{len(rest)} entries in {home.root} are not the fleet's and were left alone"
                )
            progress(f"the state in {home.root} is removed")
