"""Start the services of a stack under supervisor and wait until each is healthy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fleet_stack.home import MANAGED, StartError, make_folder, placement, ports, stack, store_text
from fleet_stack.run import checksums, grafana, health, render, services, supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.run.assembly import Stack
    from fleet_stack.run.supervisor import Places, Process

HEALTH_SECONDS = 120.0  # a large model on a slow disk
GIVE_UP_SECONDS = 12.0  # a program that failed to start for so long will not come by itself
POLL_SECONDS = 0.2
FAILING = frozenset({"BACKOFF", "FATAL", "EXITED"})


def launch(whole: Stack) -> None:
    """Start what is not running, restart what changed, and return when everything is healthy."""
    base = whole.base
    files = {name: program.path for name, program in whole.programs.items()}
    placement.check_access(base.placement.programs, {**files, "the model": whole.model.path})
    if whole.decision.parts["grafana"].state == MANAGED:
        # Made already, but for people who were in an external database before this home.
        for login in (grafana.ADMIN, *grafana.PEOPLE):
            base.secrets.ensure(f"user_{login}_password")
    stack.store(base.home, whole.decision)
    make_folder(whole.node_runtime, owner=base.placement.programs)
    rendered = {} if whole.decision.is_node_only else render.store_all(whole)
    loaded = checksums.digest_programs()
    both = {name: rendered.get(name, "") + loaded.get(name, "") for name in {*rendered, *loaded}}
    planned = services.plan(whole, both)
    running = supervisor.read_processes(base.places.socket) or {}
    idle = [
        service.name
        for service in planned
        if service.name not in running or running[service.name].pid is None
    ]
    ports.check(base.ports, idle)
    store_text(base.places.configuration, supervisor.render(planned, base.places, services.user()))
    if running:
        supervisor.update(base.places.socket)
    else:
        supervisor.start(
            base.places, services.render_base_environment(base.home.root, base.environ)
        )
    wait_until_healthy(whole)
    if whole.decision.parts["grafana"].state == MANAGED:
        add_people(whole)


def add_people(whole: Stack) -> None:
    """Create our first users in Grafana as well."""
    secrets, logins = whole.base.secrets, (grafana.ADMIN, *grafana.PEOPLE)
    passwords = {login: secrets.read(f"user_{login}_password") for login in logins}
    note = grafana.add_people(whole.url("grafana"), passwords)
    if note:
        whole.base.progress(f"grafana       {note}")


def wait_until_healthy(whole: Stack) -> None:
    """
    Return when every managed part is healthy.

    Raises StartError that names those that are not, with the end of their logs.
    """
    base, managed = whole.base, whole.decision.managed
    dsn = "" if whole.decision.is_node_only else base.secrets.read("owner.dsn")
    deadline = time.monotonic() + HEALTH_SECONDS
    own = health.Own.read(base.home)
    failing_since: dict[str, float] = {}
    waiting = set(managed)
    while True:
        processes = supervisor.read_processes(base.places.socket) or {}
        checks = health.plan(whole.decision, base.ports, dsn, own, processes)
        found = health.run({name: check for name, check in checks.items() if name in waiting})
        for name in [name for name in managed if name in waiting and not found[name]]:
            waiting.discard(name)
            base.progress(f"{name:<13} up  {whole.url(name)}".rstrip())
        if not waiting:
            return
        now = time.monotonic()
        failing_since = {name: failing_since.get(name, now) for name in decide_failing(processes)}
        lost = any(now - since > GIVE_UP_SECONDS for since in failing_since.values())
        if lost or now > deadline:
            problems = {name: found[name] for name in managed if name in waiting}
            raise StartError(explain(base.places, problems))
        time.sleep(POLL_SECONDS)


def decide_failing(processes: Mapping[str, Process]) -> list[str]:
    """Return the programs that supervisor has failed to start."""
    return [name for name, process in processes.items() if process.state in FAILING]


def explain(places: Places, found: Mapping[str, str]) -> str:
    """Return what failed, each with the end of its log."""
    lines = ["not everything came up; `./fleet up` tries again, `./fleet down` stops what did"]
    for name, problem in found.items():
        lines += [f"{name} {problem}", places.read_log_tail(name)]
    return "\n".join(line for line in lines if line)
