"""
`fleet alerts test`: post test alerts to Alertmanager and say what became of each message.

The real way, and the real receivers: people get these. Exit code 1 when one did not go out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from fleet_stack.home import ABSENT, MANAGED, StackError, homes, stack
from fleet_stack.trial import trial, ways

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_stack.home import Decision, Home


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="fleet alerts test",
        description="Send a test alert of each severity to the people who get real ones.",
    )
    parser.add_argument("--severity", choices=ways.SEVERITIES, help="only this one")
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args(argv)
    home = homes.locate(os.environ)
    record, decision = homes.load(home), stack.load(home)
    if decision is None or decision.parts["alertmanager"].state == ABSENT:
        raise StackError("there is no Alertmanager here; `./fleet status` says why")
    stand, results = make_stand(home, decision), []
    for severity in [arguments.severity] if arguments.severity else ways.SEVERITIES:
        goals = ways.find_ways(decision, record.settings, severity)
        found = trial.run(stand, goals, severity)
        results += found
        if not arguments.json:
            sys.stdout.write(render(found))
            sys.stdout.flush()
    if arguments.json:
        sys.stdout.write(json.dumps([describe(result) for result in results], indent=2) + "\n")
    else:
        sys.stdout.write("The tests are over; each receiver is told so within half a minute.\n")
    return 1 if any(result.seconds is None for result in results) else 0


def make_stand(home: Home, decision: Decision) -> trial.Stand:
    """Return where the parts of this home answer."""
    bridge = decision.parts["sms-bridge"]
    return trial.Stand(
        decision.parts["alertmanager"].url.rstrip("/"),
        bridge.url if bridge.state == MANAGED else "",
        home.path("logs"),
    )


def render(results: Sequence[trial.Result]) -> str:
    """Return one line for each message."""
    lines = []
    for result in results:
        told = f"sent after {result.seconds:.1f} s" if result.seconds is not None else "NOT SENT"
        lines.append(f"{result.way.receiver:<16}{told}  {result.reason or result.way.goal}\n")
    return "".join(lines)


def describe(result: trial.Result) -> dict[str, object]:
    """Return one message for programs."""
    return {
        "receiver": result.way.receiver,
        "is_sent": result.seconds is not None,
        "seconds": result.seconds,
        "goal": result.way.goal,
        "reason": result.reason,
    }
