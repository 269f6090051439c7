"""
`fleet up`: start everything, or what is missing, and print where it is.

It can be run again at any time, also after an interruption; what is running and healthy is kept.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.commands import first_job, status
from fleet_stack.commands.progress import Progress, begin
from fleet_stack.fetch import Tasks
from fleet_stack.home import (
    HomeError,
    Secrets,
    StartError,
    homes,
    placement,
    ports,
    runtime,
    settings,
    stack,
)
from fleet_stack.joined import start_node
from fleet_stack.paging import check_paging
from fleet_stack.parts import models, programs
from fleet_stack.run import assembly, checksums, database, launch, preflight, shutdown, supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fleet_stack.home import Decision

# What people open, in the order in which they would.
TITLES = {
    "grafana": "Grafana",
    "control-api": "Control API",
    "prometheus": "Prometheus",
    "alertmanager": "Alertmanager",
    "postgres": "PostgreSQL",
    "llm": "Model server",
    "twin": "Twin",
}
TWIN_NODES_MAX = 200
# By files that only their owner can put there, where they are external.
CONFIGURED = ("grafana", "prometheus", "alertmanager")


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
    parser.add_argument(
        "--twin",
        type=parse_count,
        metavar="N",
        help="simulate N machines instead of using this one; for a home of its own",
    )
    arguments = parser.parse_args(argv)
    wants_first_job = not arguments.no_first_job
    up(os.environ, begin(), wants_first_job=wants_first_job, twin_nodes=arguments.twin)
    return 0


def parse_count(text: str) -> int:
    """Return how many machines to simulate; none would be a real fleet, in a home of its own."""
    if not text.isdecimal() or not 1 <= int(text) <= TWIN_NODES_MAX:
        raise argparse.ArgumentTypeError(f"must be from 1 to {TWIN_NODES_MAX}, not {text!r}")
    return int(text)


def up(
    environ: Mapping[str, str],
    progress: Progress,
    *,
    wants_first_job: bool,
    twin_nodes: int | None = None,
) -> None:
    """Return when everything managed is healthy. Raises FleetError otherwise."""
    home = homes.locate(environ)
    externals, given = preflight.parse_externals(environ), settings.parse(environ)
    fresh = homes.Record(externals=tuple(sorted(externals)), twin_nodes=twin_nodes or 0)
    record = homes.create(home, fresh)
    with homes.lock(home):
        record = homes.settle_twin(home, record, twin_nodes)
        kept = settings.load(record, Secrets(home.path("secrets")))
        chosen = settings.merge(given, kept)
        check_paging(chosen)
        environ = settings.apply(environ, chosen)
        decision = stack.load(home)
        is_same = decision is not None and decision.twin_nodes == record.twin_nodes
        if decision and is_same and is_complete(home, decision, environ):
            progress("everything is up already")
        else:
            end_orphans(home, decision, progress)
            leave_lost_ports(home, decision, progress)
            base = preflight.prepare(home, externals, environ, progress)
            check_ports(base, decision)
            whole = start_or_undo(base)
            finish_first_start(whole, progress, wants_first_job=wants_first_job)
            decision = whole.decision
    progress.plain(render_table(home, decision))
    for note in (status.describe_paging(home, decision), status.offer_models(decision)):
        if note:
            progress.plain(f"  {note}")


def is_complete(
    home: homes.Home,
    decision: Decision,
    environ: Mapping[str, str],
    is_available: Callable[[Iterable[str], Mapping[str, str]], bool] = programs.is_any_available,
) -> bool:
    """True when a start would change nothing: same settings, same checkout, every part healthy."""
    if decision.inputs != stack.digest_inputs(environ, checksums.digest(checksums.ALL)):
        return False
    try:
        is_healthy = status.is_healthy(home, decision)
    except HomeError:
        return False  # what it takes to look is damaged or gone: the start mends it, or says so
    if decision.is_node_only:
        return is_healthy
    lacking = [name for name in programs.NAMES if decision.parts[name].state == stack.ABSENT]
    return is_healthy and not (lacking and is_available(lacking, environ))


def leave_lost_ports(home: homes.Home, decision: Decision | None, progress: Progress) -> None:
    """Stop the programs when ports.json is gone: new ports are about to be chosen."""
    if decision is None or home.path("ports.json").exists():
        return
    base = Path(decision.runtime)
    if supervisor.read_pid(base / runtime.SOCKET) is not None:
        progress("ports.json     is gone; stopping what runs, to choose ports anew")
        shutdown.stop(home, base)


def check_ports(base: preflight.Preflight, decision: Decision | None) -> None:
    """Raise PortError before anything is fetched, when a port is taken by another program."""
    if supervisor.read_pid(base.places.socket) is None:
        wanted = decision.managed if decision and decision.node else [*ports.SERVICES]
        ports.check(base.ports, [name for name in wanted if name not in base.externals])


def start_or_undo(base: preflight.Preflight) -> assembly.Stack:
    """
    Start what is missing; on an error, stop what this start has started.

    Not after a StartError (a program did not become healthy): the others keep running, for a look.
    """
    was_running = supervisor.read_pid(base.places.socket) is not None
    try:
        return start(base)
    except StartError:
        raise
    except Exception:
        if not was_running:
            shutdown.stop(base.home, base.runtime)
        raise


def start(base: preflight.Preflight) -> assembly.Stack:
    """Find programs and model while the database starts, then start all services."""
    if homes.load(base.home).mode == homes.NODE:
        return start_node(base)
    externals = {stack.EXTERNALS[name]: url for name, url in base.externals.items()}
    environ = {**base.environ, **externals}
    models.check_own_model(environ)
    placement.check_access(base.placement.programs, list_own_places(environ))
    with Tasks() as tasks:
        found = tasks.begin(programs.find_programs, environ, base.progress, stop=tasks.stop)
        model = None
        if not base.twin_nodes:
            model = tasks.begin(models.find_model, environ, base.progress, stop=tasks.stop)
        node = database.start(base)
        tasks.finish()
    chosen = model.result() if model else models.SIMULATED
    whole = assembly.assemble(base, node, found.result(), chosen)
    settings.store(base.home, base.environ, base.secrets)
    launch.launch(whole)
    return whole


def list_own_places(environ: Mapping[str, str]) -> dict[str, Path | None]:
    """Return the paths that the user has set, by variable."""
    variables = ("FLEET_MODEL", *(f"FLEET_{name.upper()}_HOME" for name in programs.NAMES))
    return {name: Path(environ[name]) for name in variables if environ.get(name)}


def finish_first_start(whole: assembly.Stack, progress: Progress, *, wants_first_job: bool) -> None:
    """Submit the first job of a new home, on our own model only, and wait for a conversation."""
    home = whole.base.home
    record = homes.load(home)
    if record.is_started_once:
        return
    makers = (whole.decision.parts[name].state for name in ("llm", stack.TWIN))
    is_ordered = wants_first_job and stack.MANAGED in makers
    if is_ordered:
        count = first_job.decide_count(whole.base.twin_nodes)
        first_job.submit(whole, count)
        progress(f"first job     {count} conversations ordered")
    homes.store(home, replace(record, is_started_once=True))
    if is_ordered:
        first_job.wait(whole, progress)


def end_orphans(home: homes.Home, decision: Decision | None, progress: Progress) -> None:
    """End the programs of a killed supervisor: a second set would compete for ports and data."""
    if decision and supervisor.read_pid(Path(decision.runtime) / runtime.SOCKET) is not None:
        return
    left = shutdown.find_processes(home)
    if left:
        progress(f"supervisor    was killed; ending the {len(left)} processes that it left behind")
        shutdown.end_processes(left)


def render_table(home: homes.Home, decision: Decision) -> str:
    """Return the closing table: addresses, and the commands to go on with."""
    if decision.is_node_only:
        return f"\n  Node {decision.node} of the fleet at {decision.parts['control-api'].url}"
    lines = [""]
    for name, title in TITLES.items():
        if name not in decision.shown:
            continue
        part = decision.parts[name]
        remark = {
            stack.ABSENT: f"absent: {part.reason}",
            stack.EXTERNAL: f"{part.url}  (your own{_configuration(home, name)})",
        }.get(part.state, part.url)
        if name == "llm" and part.state != stack.ABSENT:
            remark += f"  {part.reason}"
        lines.append(f"  {title:<14}{remark}")
    mail = decision.parts["mail"]
    goal = f"{mail.reason}, by {mail.url}" if mail.state == stack.EXTERNAL else home.path("mail")
    lines += [f"  {'Mails':<14}{goal}", ""]
    lines += [
        "  Logins: ./fleet logins   State: ./fleet status   Logs: ./fleet logs   Stop: ./fleet down"
    ]
    return "\n".join(lines)


def _configuration(home: homes.Home, name: str) -> str:
    """Return where an external program finds the configuration that we render for it."""
    return f"; its configuration: {home.path(name)}" if name in CONFIGURED else ""
