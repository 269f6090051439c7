"""
Compare the control API with a bare hello in the same gunicorn mode.

Usage: .venv/bin/python tests/benchmarks/api.py [--rotations 5] [--seconds 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import database
import process
import requests
from contenders import find_port, wait_for
from fleet_control_api.callers.identity import digest
from fleet_control_api.callers.passwords import hash_password
from fleet_timescale.connection import connect
from load import Ask, measure_latency, measure_rate, render
from report import Result, spread, to_json
from report import render as render_table
from rotations import percentile

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
TOKENS = 100  # that write in turn: each may do so 600 times a minute
CONNECTIONS = 16
REQUESTS = 300  # one after the other
STREAMS, REFUSED, STOPS = 8, 20, 50
PASSWORD = "a password of the benchmark"
WITHOUT_HOOKS = (
    "from fleet_control_api.gunicorn_config import *\ndel post_worker_init, worker_exit\n"
)


@dataclass(frozen=True)
class Contender:
    """A running server and what it is asked."""

    name: str
    pid: int
    ask: Ask


@dataclass(frozen=True)
class Row:
    """What one contender showed in one rotation."""

    p50_ms: float
    p99_ms: float
    rate: float
    cpu_us: float  # of the server for one request, the database not included


@contextmanager
def run_server(command: list[str], folder: Path, environ: dict[str, str]) -> Iterator[int]:
    """Run a server in the background and yield its process id."""
    with (folder / f"{secrets.token_hex(4)}.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=HERE, env=os.environ | environ, stdout=log, stderr=log
        )
    try:
        yield server.pid
    finally:
        server.terminate()
        server.wait(20)


@contextmanager
def run_hello(name: str, folder: Path) -> Iterator[Contender]:
    """Run one of hello.py in the mode of the control API, without its threads for audit rows."""
    port, config = find_port(), folder / "hello_config.py"
    config.write_text(WITHOUT_HOOKS)
    command = [sys.executable, "-m", "gunicorn", "--config", str(config)]
    command += ["--bind", f"127.0.0.1:{port}", f"hello:{name}"]
    with run_server(command, folder, {}) as pid:
        wait_for(f"http://127.0.0.1:{port}/")
        yield Contender(name, pid, Ask(port, (render("GET", "/"),)))


@contextmanager
def run_ours(folder: Path, postgres: int) -> Iterator[tuple[Contender, Contender, str]]:
    """Run the control API; yield what reads, what writes, and an access token."""
    port = find_port()
    secret_files = {
        "FLEET_DATABASE_URL": database.render_dsn(postgres, "fleet_control"),
        "FLEET_JWT_KEY": secrets.token_hex(32),
        "FLEET_PROXY_SECRET": "unused",
    }
    environ = {"FLEET_LISTEN": f"127.0.0.1:{port}"}
    for name, value in secret_files.items():
        (folder / name).write_text(value)
        environ[f"{name}_FILE"] = str(folder / name)
    tokens = tuple(secrets.token_urlsafe(24) for _ in range(TOKENS))
    with connect(database.render_dsn(postgres, database.OWNER), "benchmark") as owner:
        for token in tokens:
            owner.execute(
                "SELECT control.put_token(%s, %s, 'operator', 'benchmark', NULL)",
                [token[:8], digest(token)],
            )
        owner.execute("ALTER ROLE fleet_control LOGIN")
        owner.execute("SELECT control.put_user('ada', %s, 'viewer')", [hash_password(PASSWORD)])
    url = f"http://127.0.0.1:{port}/api/v1"
    with run_server([sys.executable, "-m", "fleet_control_api.cli"], folder, environ) as pid:
        wait_for(f"{url}/healthz")
        login = {"login": "ada", "password": PASSWORD}
        access = requests.post(f"{url}/auth/login", json=login, timeout=30).json()["access_token"]
        reads = (render("GET", "/api/v1/fleet", access),)
        body = json.dumps({"reason": "benchmark"}).encode()
        writes = tuple(render("POST", "/api/v1/fleet/pause", each, body) for each in tokens)
        yield (
            Contender("GET", pid, Ask(port, reads)),
            Contender("POST", pid, Ask(port, writes)),
            access,
        )


def measure(contender: Contender, seconds: float) -> Row:
    """Return what it shows: one request after the other, then many at once."""
    latencies = measure_latency(contender.ask, REQUESTS)
    before = process.read_cpu_seconds(contender.pid)
    rate = measure_rate(contender.ask, CONNECTIONS, seconds)
    cpu = process.read_cpu_seconds(contender.pid) - before
    return Row(
        p50_ms=percentile(latencies, 50) * 1000,
        p99_ms=percentile(latencies, 99) * 1000,
        rate=rate,
        cpu_us=cpu / max(rate * seconds, 1) * 1e6,
    )


def measure_stop(ask: Ask, access: str) -> float:
    """Return the p99 of a change in ms while all streams are held and more are refused."""
    url = f"http://127.0.0.1:{ask.port}/api/v1/events"
    headers = {"Authorization": f"Bearer {access}"}
    with ExitStack() as held:
        for _ in range(STREAMS):
            held.enter_context(requests.get(url, headers=headers, stream=True, timeout=30))
        for _ in range(REFUSED):
            answer = requests.get(url, headers=headers, timeout=30)
            if answer.status_code != 503 or "Retry-After" not in answer.headers:
                raise RuntimeError(f"a further stream was answered with {answer.status_code}")
        return percentile(measure_latency(ask, STOPS), 99) * 1000


def compare(rotations: list[dict[str, Row]], stops: list[float]) -> list[Result]:
    """Return the table; ratios are taken within each rotation."""

    def line(title: str, figure: str, name: str, against: str = "", goal: str = "") -> Result:
        mine = [float(getattr(rows[name], figure)) for rows in rotations]
        if not against:
            return Result(title, spread(mine), goal=goal)
        other = [float(getattr(rows[against], figure)) for rows in rotations]
        ratios = [one / two for one, two in zip(mine, other, strict=True)]
        return Result(title, spread(mine), spread(other), spread(ratios), goal)

    return [
        line("GET p50, ms", "p50_ms", "GET", "flask", "<= 10 ms"),
        line("GET p99, ms", "p99_ms", "GET", "flask"),
        line("POST with audit row p50, ms", "p50_ms", "POST", "flask", "<= 25 ms"),
        line("POST with audit row p99, ms", "p99_ms", "POST", "flask"),
        line("GET / bare gunicorn, requests/s", "rate", "GET", "bare", ">= 0.60x"),
        line("GET / Flask hello, requests/s", "rate", "GET", "flask"),
        line("POST + row / bare gunicorn, requests/s", "rate", "POST", "bare", ">= 0.24x"),
        line("POST + row / Flask hello, requests/s", "rate", "POST", "flask"),
        line("GET / Flask hello, CPU us", "cpu_us", "GET", "flask"),
        line("POST / Flask hello, CPU us", "cpu_us", "POST", "flask"),
        Result("change, 8 streams held, 20 refused: p99, ms", spread(stops), goal="<= 1000 ms"),
    ]


def main(argv: list[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rotations", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each flood of requests")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args(argv)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(database.run_postgres(data))
        database.prepare(postgres, ["benchmark"])
        hellos = [stack.enter_context(run_hello(name, folder)) for name in ("bare", "flask")]
        reading, writing, access = stack.enter_context(run_ours(folder, postgres))
        rotations, stops, busy = [], [], []
        for number in range(wanted.rotations):
            sys.stderr.write(f"rotation {number + 1} of {wanted.rotations}\n")
            began, before = time.monotonic(), process.read_busy_seconds()
            contenders = (*hellos, reading, writing)
            turned = contenders[number % 4 :] + contenders[: number % 4]
            rotations.append({each.name: measure(each, wanted.seconds) for each in turned})
            stops.append(measure_stop(writing.ask, access))
            busy.append((process.read_busy_seconds() - before) / (time.monotonic() - began))
    results = compare(rotations, stops)
    mode = f"gthread, 1 process, 32 threads; {CONNECTIONS} connections; {spread(busy)} CPUs busy"
    sys.stdout.write(render_table(results, [mode]) + "\n")
    if wanted.json:
        wanted.json.write_text(json.dumps(to_json(results), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
