"""`fleet twin history`: fill the past of a twin, and show how far it is."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from fleet_timescale.connection import connect

from fleet_twin.history.fill import HistoryError, fill_history
from fleet_twin.machine.kinds import NODES_MAX, Place, list_places

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_timescale.connection import Connect, Connection


def main(argv: list[str], dsn: str) -> int:
    """Fill the past of the twin whose database this is, with the login of its owner."""
    parser = argparse.ArgumentParser(
        prog="fleet twin history",
        description="Give a twin the readings and conversations of past weeks, once.",
    )
    parser.add_argument("--days", type=int, default=30, help="how far back (30)")
    parser.add_argument("--nodes", type=int, help="the first so many machines (all)")
    parser.add_argument("--seed", type=int, default=1, help="another number, another past (1)")
    arguments = parser.parse_args(argv)

    def make() -> Connection:
        return connect(dsn, "fleet twin history")

    say = make_say(time.monotonic())
    places = read_places(make, arguments.nodes)
    filled = fill_history(make, arguments.days, places, arguments.seed, say)
    say(
        f"filled {arguments.days} days of {filled.nodes} machines, with {filled.conversations}"
        f" conversations, to {filled.span.end:%Y-%m-%d %H:%M} UTC"
    )
    return 0


def read_places(connect_: Connect, wanted: int | None) -> list[Place]:
    """Return the machines of the twin, or the first so many. Raises HistoryError."""
    with connect_() as connection:
        rows = connection.execute("SELECT node FROM fleet.nodes WHERE removed_at IS NULL")
        enrolled = {row["node"] for row in rows}
    places = [place for place in list_places(NODES_MAX) if place.node in enrolled]
    if not places:
        raise HistoryError(
            "there is no machine of a twin here: only a twin gets an invented past; "
            "FLEET_HOME=.fleet-twin ./fleet up --twin 20 makes one"
        )
    if wanted is not None and not 1 <= wanted <= len(places):
        raise HistoryError(
            f"--nodes must be between 1 and {len(places)}, not {wanted}; "
            "./fleet up --twin N gives the twin more machines"
        )
    return places[:wanted]


def make_say(began: float) -> Callable[[str], None]:
    """Return what prints a step with the seconds since the beginning."""
    return lambda text: print(  # noqa: T201 - the progress of a command
        f"{time.monotonic() - began:6.1f} s  {text}", file=sys.stdout, flush=True
    )
