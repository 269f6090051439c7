"""`fleet logs [PROGRAM] [-f]`: print the end of the log files that supervisor writes."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from fleet_stack.commands.progress import say
from fleet_stack.home import StackError, homes, read_tail

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_stack.home import Home

SHOWN_LINES = 40


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="fleet logs", description="Print the end of the logs.")
    parser.add_argument("program", nargs="?", help="one program; all when it is left out")
    parser.add_argument("-f", "--follow", action="store_true", help="go on printing what comes")
    parser.add_argument(
        "-n", "--lines", type=int, default=SHOWN_LINES, help="how many lines of each"
    )
    arguments = parser.parse_args(argv)
    home = homes.locate(os.environ)
    homes.load(home)
    files = choose_files(home, arguments.program)
    if arguments.follow:
        os.execvp("tail", ["tail", "-n", str(arguments.lines), "-F", *map(str, files)])  # noqa: S606 - tail follows better than we would
    for file in files:
        if len(files) > 1:
            say(f"==> {file.stem} <==")
        say(read_tail(file, arguments.lines))
    return 0


def choose_files(home: Home, program: str | None) -> list[Path]:
    """Return the log files to show. Raises StackError for a program that has none."""
    files = {file.stem: file for file in sorted(home.path("logs").glob("*.log"))}
    if program is None:
        return list(files.values())
    name = "node" if program == "worker" else program  # the agent passes on what its worker says
    if name not in files:
        raise StackError(
            f"{program!r} has no log in {home.path('logs')}; "
            f"there are: {', '.join(files) or 'none'}"
        )
    return [files[name]]
