"""
Check that each part does its work.

Every check asks the part itself over its own protocol, and returns an empty string or, in a few
words, what is wrong. That a process exists says nothing.
"""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
from fleet_timescale.connection import connect

from fleet_stack.home import NAMES, Decision
from fleet_stack.parts import postgres

if TYPE_CHECKING:
    from fleet_stack.run.supervisor import Process

TIMEOUT_SECONDS = 2.0
HEARTBEAT_SECONDS = 15  # three missed heartbeats
CHECK_PATHS = {
    "prometheus": "/-/ready",
    "alertmanager": "/-/ready",
    "grafana": "/api/health",
    "llm": "/health",
    "exporter": "",
    "master": "",
    "control-api": "/healthz",
}
# A page that must contain this is looked at, not only fetched.
CONTENTS = {"exporter": b"fleet_activity_mode", "master": b"fleet_"}

Check = Callable[[], str]
# Loopback is never behind a proxy, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def check_page(url: str, content: bytes = b"") -> str:
    """Fetch a page; it must answer 200 and contain the text."""
    try:
        with _opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
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


def check_agent(dsn: str, node: str, started_at: float) -> str:
    """The agent must have sent a heartbeat since it started, and within HEARTBEAT_SECONDS."""
    try:
        with connect(dsn, "fleet status") as connection:
            row = connection.execute(
                "SELECT last_heartbeat_at > greatest(to_timestamp(%s), "
                "now() - make_interval(secs => %s)) AS is_fresh FROM fleet.nodes WHERE node = %s",
                [started_at, HEARTBEAT_SECONDS, node],
            ).fetchone()
    except psycopg.Error as exc:
        return f"cannot be asked: the database does not answer ({postgres.first_line(exc)})"
    return "" if row and row["is_fresh"] else "sends no heartbeat"


def check_worker(dsn: str, node: str) -> str:
    """The worker must be running, as its agent reports."""
    try:
        with connect(dsn, "fleet status") as connection:
            row = connection.execute(
                "SELECT worker_state FROM fleet.nodes WHERE node = %s", [node]
            ).fetchone()
    except psycopg.Error as exc:
        return f"cannot be asked: the database does not answer ({postgres.first_line(exc)})"
    state = row["worker_state"] if row else "unknown"
    return "" if state == "running" else f"is {state}"


def plan(
    decision: Decision, ports: Mapping[str, int], dsn: str, processes: Mapping[str, Process]
) -> dict[str, Check]:
    """Return a check for every part that we run."""
    started_at = processes["node"].started_at if "node" in processes else 0.0
    checks: dict[str, Check] = {
        "postgres": lambda: check_database(dsn),
        "mail": lambda: check_mail(ports["mail"]),
        "node": lambda: check_agent(dsn, decision.node, started_at),
        "worker": lambda: check_worker(dsn, decision.node),
    }
    for name, path in CHECK_PATHS.items():
        checks[name] = _page_check(decision.parts[name].url + path, CONTENTS.get(name, b""))
    return {name: checks[name] for name in decision.managed}


def _page_check(url: str, content: bytes) -> Check:
    return lambda: check_page(url, content)


def run(checks: Mapping[str, Check]) -> dict[str, str]:
    """Run all checks in parallel; return what each found."""
    with ThreadPoolExecutor(max_workers=len(NAMES)) as pool:
        found = pool.map(lambda check: check(), checks.values())
        return dict(zip(checks, found, strict=True))
