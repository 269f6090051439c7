"""`fleet twin`: what is wrong with the machines of a twin home, and their invented past."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from fleet_twin import faults
from fleet_twin.history import command as history
from fleet_twin.machine.kinds import Place, list_places
from fleet_twin.rehearse import command as rehearse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


def main(  # noqa: PLR0913 - what the launcher knows of the home
    argv: list[str],
    folder: Path,
    count: int,
    dsn: str,
    *,
    read_addresses: Callable[[], Mapping[str, str]] = dict,
    read_processes: Callable[[], Mapping[str, int]] = dict,
) -> int:
    """
    Run a command on the twin whose faults stand in `folder` and which has so many nodes.

    `dsn` is that of its database's owner. The other two tell of a running home: what `fleet env`
    prints, and process ids by program.
    """
    if argv[:1] == ["history"]:
        return history.main(argv[1:], dsn)
    if argv[:1] == ["rehearse"]:
        running = rehearse.Running(read_addresses, read_processes)
        return rehearse.main(argv[1:], running, list_places(count), folder)
    parser = argparse.ArgumentParser(prog="fleet twin", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    setting = verbs.add_parser("fault", help="set a fault", description=render_known())
    setting.formatter_class = argparse.RawDescriptionHelpFormatter
    setting.add_argument("name", metavar="NAME")
    setting.add_argument("node", metavar="NODE")
    clearing = verbs.add_parser("clear", help="end all faults, or those of one node")
    clearing.add_argument("node", metavar="NODE", nargs="?")
    verbs.add_parser("faults", help="show which faults are set")
    verbs.add_parser("history", help="fill the past of the twin, once")
    verbs.add_parser("rehearse", help="use every control, and see that each is seen")
    told = parser.parse_args(argv)
    places = list_places(count)
    if told.verb == "fault":
        faults.check(told.name, told.node, places)
        faults.change(folder, lambda held: faults.with_fault(held, told.name, told.node))
        sys.stdout.write(f"{told.node}: {faults.FAULTS[told.name]}\n")
    elif told.verb == "clear":
        clear(folder, told.node, places)
    else:
        sys.stdout.write(render_held(faults.read(folder)))
    return 0


def clear(folder: Path, node: str | None, places: Sequence[Place]) -> None:
    """End faults; a damaged file is replaced. Raises FaultError for an unknown node."""
    if node is None:
        faults.store(folder, {})
        sys.stdout.write("no fault is set\n")
        return
    faults.find_place(node, places)
    faults.change(folder, lambda held: faults.without(held, node))
    sys.stdout.write(f"no fault is set on {node}\n")


def render_known() -> str:
    """Return the faults that there are, for people."""
    return "\n".join(f"  {name:<17} {text}" for name, text in faults.FAULTS.items())


def render_held(held: faults.Faults) -> str:
    """Return the faults that are set, for people."""
    if not held:
        return "no fault is set\n"
    lines = [
        f"{node:<16} {name:<17} {faults.FAULTS[name]}\n"
        for node, names in sorted(held.items())
        for name in sorted(names)
    ]
    return "".join(lines)
