"""`fleet status [--json]`: ask every part for its state; exit code 1 when a managed one is down."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fleet_stack.commands.progress import say
from fleet_stack.home import (
    ABSENT,
    EXTERNAL,
    MANAGED,
    Decision,
    HomeError,
    Part,
    Secrets,
    homes,
    ports,
    runtime,
    stack,
)
from fleet_stack.parts import endpoints
from fleet_stack.run import health, supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.home import Home

UP, DOWN, FAILED = "up", "down", "failed"
START = "`./fleet up` starts it"
STOPPED = "stopped on purpose; `./fleet nodes start NODE` starts it"
GONE = "its supervisor was killed; `./fleet up` starts it again"


@dataclass(frozen=True)
class ServiceStatus:
    """The state of one part."""

    state: str
    url: str | None = None
    pid: int | None = None
    reason: str | None = None


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="fleet status", description="Say what runs.")
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args(argv)
    home = homes.locate(os.environ)
    record = homes.load(home)
    decision = stack.load(home)
    if decision is None:
        raise HomeError(f"the first start of {home.root} was interrupted; run `./fleet up` again")
    rows = read(home, decision)
    if arguments.json:
        services = {name: asdict(row) for name, row in rows.items()}
        answer = {"home": str(home.root), "mode": record.mode, "services": services}
        say(json.dumps({**answer, "note": decision.note or None}, indent=2))
    else:
        say(render(rows))
        notes = [decision.note, describe_paging(home, decision), offer_models(decision)]
        for note in filter(None, notes):
            say(f"\nnote: {note}")
    return 1 if any(is_wrong(row) for row in rows.values()) else 0


def is_wrong(row: ServiceStatus) -> bool:
    """True for what we run and does not run, unless people want that."""
    return row.state in {DOWN, FAILED} and row.reason != STOPPED


def render(rows: Mapping[str, ServiceStatus]) -> str:
    """Return the table: name, state, process, address, and the reason when something is wrong."""
    lines = []
    for name, row in rows.items():
        said = "  ".join(filter(None, [row.url, row.reason]))
        lines.append(f"{name:<14}{row.state:<10}{row.pid or '':<9}{said}".rstrip())
    return "\n".join(lines)


def offer_models(decision: Decision) -> str:
    """Return a note on model servers of the user that could be used instead of ours."""
    if decision.parts["llm"].state != MANAGED:
        return ""
    return endpoints.render_offer(endpoints.find_local())


def describe_paging(home: Home, decision: Decision) -> str:
    """Return a note where no alert reaches a person: mails stay on this machine."""
    if decision.is_node_only or decision.parts["alertmanager"].state == EXTERNAL:
        return ""
    if decision.parts["alertmanager"].state == ABSENT:
        return "nobody is told of alerts: there is no Alertmanager"
    if decision.parts["mail"].state == EXTERNAL:
        return ""
    return (
        f"nobody gets mails of alerts: they stay in {home.path('mail')}; set FLEET_SMTP_URL="
        "smtp://USER@HOST:587, FLEET_SMTP_PASSWORD_FILE and FLEET_MAIL_TO, and run `./fleet up`"
    )


def is_healthy(home: Home, decision: Decision) -> bool:
    """True when nothing managed is down or failed."""
    return not any(is_wrong(row) for row in read(home, decision).values())


def read(home: Home, decision: Decision) -> dict[str, ServiceStatus]:
    """Ask supervisor and every part; return the state of each that is shown."""
    processes = supervisor.read_processes(Path(decision.runtime) / runtime.SOCKET)
    secrets, chosen = Secrets(home.path("secrets")), ports.load(home)
    # An interrupted first start has no login yet: the server then answers by refusing us.
    without_login = stack.render_url("postgres", chosen["postgres"])
    dsn = secrets.read("owner.dsn") if secrets.has("owner.dsn") else without_login
    problems = health.run(
        health.plan(decision, chosen, dsn, health.Own.read(home), processes or {})
    )
    worker = find_worker(processes or {})
    rows = {
        name: decide(name, decision.parts[name], processes, problems.get(name, ""), worker)
        for name in decision.shown
    }
    if decision.twin_nodes and rows[stack.TWIN].state == UP:
        beating = health.count_beating(dsn, 0.0)
        told = f"{beating} of {decision.twin_nodes} simulated nodes run"
        rows[stack.TWIN] = replace(rows[stack.TWIN], reason=told)
    return rows


def find_worker(processes: Mapping[str, supervisor.Process]) -> int | None:
    """Return the process number of the worker, a child of the agent."""
    agent = processes.get("node")
    if agent is None or agent.pid is None:
        return None
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(agent.pid).children():
            if any("worker" in word for word in child.cmdline()):
                return child.pid
    return None


def decide(
    name: str,
    part: Part,
    processes: Mapping[str, supervisor.Process] | None,
    problem: str,
    worker: int | None,
) -> ServiceStatus:
    """Return the state of one part from what supervisor and its health check report."""
    url, reason = part.url or None, part.reason or None
    if part.state != MANAGED:
        return ServiceStatus(part.state, url, None, reason)
    if processes is None:
        return (
            ServiceStatus(DOWN, url, None, START)
            if problem
            else ServiceStatus(FAILED, url, None, GONE)
        )
    process = processes.get("node" if name == "worker" else name)
    pid = worker if name == "worker" else process.pid if process else None
    if process is None or (pid is None and process.state in {"STOPPED", "RUNNING"}):
        is_wanted = name != "worker" or process is None
        return ServiceStatus(DOWN, url, None, problem or (START if is_wanted else STOPPED))
    if pid is None:
        said = f"{process.description}; see `./fleet logs {process.name}`"
        return ServiceStatus(FAILED, url, None, problem if health.REMOVED in problem else said)
    if problem:
        return ServiceStatus(FAILED, url, pid, problem)
    return ServiceStatus(UP, url, pid, reason)
