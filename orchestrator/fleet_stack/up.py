"""
`fleet up`: bring everything up, or what is missing, and say where it is.

It can be run again at any time, also after an interrupted one: what runs and is healthy stays as it
is.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_timescale.errors import FleetError

from fleet_stack import (
    database,
    down,
    first_job,
    ground,
    launch,
    orphans,
    runtime,
    stack,
    status,
    supervisor,
    table,
)
from fleet_stack import home as homes
from fleet_stack.errors import StartError
from fleet_stack.model import find_model
from fleet_stack.programs import find_programs
from fleet_stack.progress import Progress, begin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.ground import Ground
    from fleet_stack.stack import Decision, Stack


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="fleet up", description="Start everything, or what is missing."
    )
    parser.add_argument(
        "--no-first-job",
        action="store_true",
        help="do not order 20 conversations at the first start",
    )
    arguments = parser.parse_args(argv)
    up(os.environ, begin(), wants_first_job=not arguments.no_first_job)
    return 0


def up(environ: Mapping[str, str], progress: Progress, *, wants_first_job: bool) -> None:
    """Return when everything managed is healthy. Raises FleetError otherwise."""
    home = homes.locate(environ)
    externals = ground.parse_externals(environ)
    homes.create(home, homes.Record(externals=tuple(sorted(externals))))
    with homes.lock(home):
        decision = stack.load(home)
        if (
            decision
            and decision.inputs == stack.digest_inputs(environ)
            and status.is_healthy(home, decision)
        ):
            progress("everything is up already")
        else:
            end_orphans(home, decision, progress)
            base = ground.prepare(home, externals, environ, progress)
            decision = start_or_undo(base, wants_first_job=wants_first_job)
    progress.plain(table.render(home, decision))


def start_or_undo(base: Ground, *, wants_first_job: bool) -> Decision:
    """
    Start what is missing; when that cannot even begin, end what this start has begun.

    A StartError says that a program did not become healthy: the others go on, to be looked at.
    """
    was_running = supervisor.read_pid(base.places.socket) is not None
    try:
        return start(base, wants_first_job=wants_first_job)
    except StartError:
        raise
    except FleetError:
        if not was_running:
            down.stop(base.home, base.runtime)
        raise


def start(base: Ground, *, wants_first_job: bool) -> Decision:
    """Start what is missing: programs, model and database at the same time, then all services."""
    with ThreadPoolExecutor(max_workers=3) as pool:
        externals = {stack.EXTERNALS[name]: url for name, url in base.externals.items()}
        programs = pool.submit(find_programs, {**base.environ, **externals}, base.progress)
        model = pool.submit(find_model, base.environ, base.progress)
        node = pool.submit(database.start, base)
        whole = launch.assemble(base, node.result(), programs.result(), model.result())
    launch.launch(base, whole)
    finish_first_start(base, whole, wants_first_job=wants_first_job)
    return whole.decision


def finish_first_start(base: Ground, whole: Stack, *, wants_first_job: bool) -> None:
    """
    Order the first conversations of a new home, on our own model only, and wait for one.
    """
    record = homes.load(base.home)
    if record.is_started_once:
        return
    is_ordered = wants_first_job and whole.decision.parts["llm"].state == stack.MANAGED
    if is_ordered:
        first_job.submit(whole)
        base.progress(f"first job     {first_job.COUNT} conversations ordered")
    homes.store(base.home, replace(record, is_started_once=True))
    if is_ordered:
        first_job.wait(whole, base.progress)


def end_orphans(home: homes.Home, decision: Decision | None, progress: Progress) -> None:
    """End what a killed supervisor left behind: two of each would fight over ports and data."""
    if decision and supervisor.read_pid(Path(decision.runtime) / runtime.SOCKET) is not None:
        return
    left = orphans.find(home)
    if left:
        progress(f"supervisor    was killed; ending the {len(left)} processes that it left behind")
        orphans.end(left)
