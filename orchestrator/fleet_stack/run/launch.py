"""Run all services of a stack under supervisor and wait until each of them does its work."""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING

from fleet_stack.commands import logs
from fleet_stack.home import placement, ports, runtime, stack
from fleet_stack.home.errors import StartError
from fleet_stack.home.files import store_text
from fleet_stack.home.stack import EXTERNAL, MANAGED, Decision, Stack
from fleet_stack.run import checksums, grafana, health, render, services, supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.parts.model import Model
    from fleet_stack.parts.programs import Program
    from fleet_stack.run.preflight import Preflight
    from fleet_stack.run.supervisor import Process

HEALTH_SECONDS = 120.0  # a large model on a slow disk
GIVE_UP_SECONDS = 12.0  # a program that failed to start for so long will not come by itself
POLL_SECONDS = 0.2
FAILING = frozenset({"BACKOFF", "FATAL", "EXITED"})


def assemble(base: Preflight, node: str, programs: Mapping[str, Program], model: Model) -> Stack:
    """Return the stack that these findings make."""
    parts = stack.decide_parts(base.ports, base.externals, programs, model)
    given_url = base.environ.get("FLEET_PUBLIC_URL", "")
    public_url = stack.decide_public_url(given_url, base.ports["control-api"], "control-api")
    decision = Decision(
        parts=parts,
        node=node,
        runtime=str(base.runtime),
        inputs=stack.digest_inputs(base.environ, checksums.digest(checksums.ALL)),
        note=base.placement.note,
        grafana_public_url=_grafana_public_url(parts["grafana"], given_url, base.ports["grafana"]),
        public_url=public_url,
    )
    return Stack(
        home=base.home,
        decision=decision,
        ports=base.ports,
        placement=base.placement,
        secrets=base.secrets,
        programs=programs,
        model=model,
        public_url=public_url,
        public_url_given=given_url,
    )


def _grafana_public_url(part: stack.Part, public_url: str, port: int) -> str:
    if part.state == MANAGED:
        return stack.decide_public_url(public_url, port, "grafana")
    return part.url.rstrip("/") if part.state == EXTERNAL else ""


def launch(base: Preflight, whole: Stack) -> None:
    """Start what does not run yet, restart what changed, and return when all is healthy."""
    files = {name: program.path for name, program in whole.programs.items()}
    placement.check_access(whole.placement.programs, {**files, "the model": whole.model.path})
    if whole.decision.parts["grafana"].state == MANAGED:
        # Made already, but for people who were in an external database before this home.
        for login in (grafana.ADMIN, *grafana.PEOPLE):
            base.secrets.ensure(f"user_{login}_password")
    stack.store(whole.home, whole.decision)
    runtime.prepare_node(base.runtime, whole.node, base.placement.programs)
    rendered, loaded = render.store_all(whole), checksums.digest_programs()
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
    wait_until_healthy(base, whole)
    if whole.decision.parts["grafana"].state == MANAGED:
        add_people(base, whole)


def add_people(base: Preflight, whole: Stack) -> None:
    """Make our first people known to Grafana as well."""
    people = importlib.import_module("fleet_stack.run.people")
    logins = (grafana.ADMIN, *grafana.PEOPLE)
    passwords = {login: base.secrets.read(f"user_{login}_password") for login in logins}
    note = people.add_people(whole.url("grafana"), passwords)
    if note:
        base.progress(f"grafana       {note}")


def wait_until_healthy(base: Preflight, whole: Stack) -> None:
    """
    Return when every managed part is healthy.

    Raises StartError naming those that are not, with their last words.
    """
    deadline = time.monotonic() + HEALTH_SECONDS
    failing_since: dict[str, float] = {}
    waiting = set(whole.decision.managed)
    while True:
        processes = supervisor.read_processes(base.places.socket) or {}
        checks = health.plan(whole.decision, base.ports, base.secrets.read("owner.dsn"), processes)
        found = health.run({name: check for name, check in checks.items() if name in waiting})
        for name in [
            name for name in whole.decision.managed if name in waiting and not found[name]
        ]:
            waiting.discard(name)
            base.progress(f"{name:<13} up  {whole.url(name)}".rstrip())
        if not waiting:
            return
        now = time.monotonic()
        failing_since = {name: failing_since.get(name, now) for name in decide_failing(processes)}
        lost = any(now - since > GIVE_UP_SECONDS for since in failing_since.values())
        if lost or now > deadline:
            raise StartError(
                explain(
                    base,
                    {name: found[name] for name in whole.decision.managed if name in waiting},
                )
            )
        time.sleep(POLL_SECONDS)


def decide_failing(processes: Mapping[str, Process]) -> list[str]:
    """Return the programs that supervisor could not start so far."""
    return [name for name, process in processes.items() if process.state in FAILING]


def explain(base: Preflight, found: Mapping[str, str]) -> str:
    """Return what failed, each with the end of its log."""
    lines = ["not everything came up; `./fleet up` tries again, `./fleet down` stops what did"]
    for name, problem in found.items():
        lines += [
            f"{name} {problem}",
            logs.read_tail(base.home, "node" if name == "worker" else name),
        ]
    return "\n".join(line for line in lines if line)
