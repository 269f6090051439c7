"""
Check that each part does its work.

Every check asks the part itself over its own protocol, and returns an empty string or, in a few
words, what is wrong. That a process exists says nothing.
"""

from __future__ import annotations

import importlib
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from fleet_timescale.connection import connect

from fleet_stack.home import NAMES, Decision, HomeError, Secrets
from fleet_stack.parts import postgres, tls

if TYPE_CHECKING:
    from fleet_stack.home import Home
    from fleet_stack.run.supervisor import Process

TIMEOUT_SECONDS = 2.0
HEARTBEAT_SECONDS = 15  # three missed heartbeats
IDENTITY = "fleet_orchestrator.agent.identity"
STANDING = "fleet_orchestrator.agent.standing"
REMOVED = "was removed from the fleet; `./fleet nodes invite` there says how it joins again"
CHECK_PATHS = {
    "prometheus": "/-/ready",
    "alertmanager": "/-/ready",
    "grafana": "/api/health",
    "llm": "/health",
    "master": "",
    "control-api": "/healthz",
    "sms-bridge": "/healthz",
}
# A page that must contain this is looked at, not only fetched.
CONTENTS = {"master": b"fleet_"}

Check = Callable[[], str]
# Loopback is never behind a proxy, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def check_page(
    url: str, content: bytes = b"", opener: urllib.request.OpenerDirector = _opener
) -> str:
    """Fetch a page; it must answer 200 and contain the text."""
    try:
        with opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
            body = answer.read()
    except urllib.error.HTTPError as exc:
        with exc:
            return f"answers {exc.code}"
    except (OSError, ValueError) as exc:
        return f"does not answer ({getattr(exc, 'reason', exc)})"
    return "" if content in body else f"its page lacks {content.decode()}"


def check_mail(port: int) -> str:
    """The mail server must greet with 220."""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
            greeting = connection.recv(100)
            connection.sendall(b"QUIT\r\n")
    except OSError as exc:
        return f"does not answer ({exc})"
    return "" if greeting.startswith(b"220") else f"greets with {greeting[:20]!r}"


def check_database(dsn: str) -> str:
    """The database must answer a query of the schema."""
    try:
        with connect(dsn, "fleet status") as connection:
            connection.execute("SELECT FROM fleet.migrations LIMIT 1")
    except psycopg.Error as exc:
        return f"does not answer ({postgres.first_line(exc)})"
    return ""


@dataclass(frozen=True)
class Own:
    """How the checks of this machine's node get in, and which machine it is."""

    dsn: str
    machine: str

    @classmethod
    def read(cls, home: Home) -> Own:
        """Return that of a home; before its first start it has no login, and checks say so."""
        secrets = Secrets(home.path("secrets"))
        dsn = secrets.read("node.dsn") if secrets.has("node.dsn") else ""
        machine = importlib.import_module(IDENTITY).read_machine(home.path("spool")).fingerprint
        return cls(dsn, machine)


def check_agent(own: Own, started_at: float) -> str:
    """The agent must have sent a heartbeat since it started, and within HEARTBEAT_SECONDS."""
    return check_standing(own, started_at)[0]


def check_worker(own: Own, started_at: float) -> str:
    """The worker must be as people want it, as its agent reports."""
    problem, state = check_standing(own, started_at)
    if problem:
        return f"is unknown: its agent {problem}"
    # Stopped is on purpose: an agent whose worker has ended says that it is restarting.
    return "" if state in {"running", "draining", "stopped"} else f"is {state}"


def check_standing(own: Own, started_at: float) -> tuple[str, str]:
    """Return what is wrong with the agent, and the state of its worker."""
    try:
        with connect(own.dsn, "fleet status") as connection:
            row = connection.execute(
                "SELECT *, heartbeat_at > greatest(to_timestamp(%s), "
                "now() - make_interval(secs => %s)) AS is_fresh FROM fleet.own_standing()",
                [started_at, HEARTBEAT_SECONDS],
            ).fetchone()
    except psycopg.Error as exc:
        if importlib.import_module(STANDING).is_refusal(exc):
            return REMOVED, ""
        return f"cannot be asked: the database refuses ({postgres.first_line(exc)})", ""
    if row is None or row["machine"] is None:
        return "sends no heartbeat", ""
    if row["machine"] != own.machine:
        return f"is refused: {row['machine_host']} runs as node {row['node']} already", ""
    return "" if row["is_fresh"] else "sends no heartbeat", row["worker_state"]


def count_beating(dsn: str, started_at: float) -> int:
    """Return how many nodes have sent a heartbeat since, and within HEARTBEAT_SECONDS."""
    with connect(dsn, "fleet status") as connection:
        row = connection.execute(
            "SELECT count(*) AS n FROM fleet.nodes WHERE removed_at IS NULL AND last_heartbeat_at "
            "> greatest(to_timestamp(%s), now() - make_interval(secs => %s))",
            [started_at, HEARTBEAT_SECONDS],
        ).fetchone()
    return int(row["n"]) if row else 0


def check_twin(dsn: str, started_at: float) -> str:
    """Some node must beat; which of them do not is what the twin is there to show."""
    try:
        beating = count_beating(dsn, started_at)
    except psycopg.Error as exc:
        return f"cannot be asked: the database does not answer ({postgres.first_line(exc)})"
    return "" if beating else "no node sends a heartbeat"


def plan(
    decision: Decision,
    ports: Mapping[str, int],
    dsn: str,
    own: Own,
    processes: Mapping[str, Process],
) -> dict[str, Check]:
    """Return a check for every part that we run; `dsn` is the owner's."""
    started_at = processes["node"].started_at if "node" in processes else 0.0
    twin_started_at = processes["twin"].started_at if "twin" in processes else 0.0
    checks: dict[str, Check] = {
        "postgres": lambda: check_database(dsn),
        "mail": lambda: check_mail(ports["mail"]),
        "node": lambda: check_agent(own, started_at),
        "worker": lambda: check_worker(own, started_at),
        # It answers so while its readings are fresh; its page is for who has the scrape token.
        "exporter": _page_check(
            decision.parts["exporter"].url.removesuffix("/metrics") + "/healthz", b"ok"
        ),
        "twin": lambda: check_twin(dsn, twin_started_at),
    }
    for name, path in CHECK_PATHS.items():
        checks[name] = _page_check(decision.parts[name].url + path, CONTENTS.get(name, b""))
    if decision.parts["control-api"].url.startswith("https:"):
        checks["control-api"] = lambda: check_control_api(decision)
    return {name: checks[name] for name in decision.managed}


def check_control_api(decision: Decision) -> str:
    """The control API must answer as its certificate's name, signed by whom callers trust."""
    try:
        trust = tls.Trust(decision.control_ca_file, decision.control_server_name)
        opener = tls.make_opener(trust)
    except HomeError as exc:
        return str(exc)
    return check_page(decision.parts["control-api"].url + CHECK_PATHS["control-api"], opener=opener)


def _page_check(url: str, content: bytes) -> Check:
    return lambda: check_page(url, content)


def run(checks: Mapping[str, Check]) -> dict[str, str]:
    """Run all checks in parallel; return what each found."""
    with ThreadPoolExecutor(max_workers=len(NAMES)) as pool:
        found = pool.map(lambda check: check(), checks.values())
        return dict(zip(checks, found, strict=True))
