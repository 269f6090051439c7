"""Prometheus and Alertmanager with our files, rendered as the launcher renders them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contenders import END_SECONDS, wait_for
from fleet_stack.parts.programs import find_tools
from fleet_stack.run.render import render_template

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

ROOT = Path(__file__).parents[2]
RULES = ROOT / "prometheus/rules"
CRITICAL, WARNING = "critical@fleet.example", "warning@fleet.example"


def find_watchers() -> dict[str, Path]:
    """Return the programs, where the launcher would find them."""
    tools = find_tools(os.environ, lambda line: print(line, file=sys.stderr))  # noqa: T201 - progress
    for name in ("prometheus", "alertmanager"):
        if name not in tools:
            raise RuntimeError(f"no {name} could be had; set FLEET_{name.upper()}_HOME")
    return tools


def render_prometheus(folder: Path, **values: str) -> str:
    """Return prometheus.yml; secrets are a file of `folder`."""
    token = folder / "token"
    token.write_text("secret")
    tokens = ("sd_token_file", "scrape_token_file", "metrics_token_file")
    given = dict.fromkeys(tokens, str(token)) | {"rules_dir": str(RULES), "llm_address": ""}
    return render_template(ROOT / "prometheus/prometheus.yml.j2", given | values)


def render_alertmanager(folder: Path, *, mail: str, text_messages: str, history: str) -> str:
    """Return alertmanager.yml for a mail server, a bridge for text messages and a control API."""
    token = folder / "token"
    token.write_text("secret")
    values = {
        "smtp_address": mail,
        "smtp_needs_starttls": False,
        "smtp_user": "",
        "smtp_password_file": "",
        "smtp_ca_file": "",
        "mail_from": "fleet@fleet.example",
        "mail_to": WARNING,
        "mail_to_critical": CRITICAL,
        "quiet_hours": [],
        "time_zone": "",
        "heartbeat_url": "",
        "sms_url": f"http://{text_messages}/alerts",
        "sms_token_file": str(token),
        "sns_topic": "",
        "sns_url": "",
        "home_url": "http://fleet.example",
        "templates_dir": str(ROOT / "alertmanager/templates"),
        "dashboard_url": "http://grafana.example",
        "runbook_url": "http://fleet.example/api/v1/runbooks",
        "webhook_url": f"http://{history}/api/v1/alerts/webhook",
        "webhook_token_file": str(token),
    }
    return render_template(ROOT / "alertmanager/alertmanager.yml.j2", values)


@contextlib.contextmanager
def run_alertmanager(program: Path, folder: Path, config: str, port: int) -> Iterator[None]:
    """Run Alertmanager until the block is over; it is ready once this has begun."""
    file = folder / "alertmanager.yml"
    file.write_text(config)
    command = [
        program,
        f"--config.file={file}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with running(command, folder / "alertmanager.log", port):
        yield


@contextlib.contextmanager
def run_prometheus(
    program: Path, folder: Path, config: str, port: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Run Prometheus until the block is over; it is ready once this has begun."""
    file = folder / "prometheus.yml"
    file.write_text(config)
    command = [
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with running(command, folder / "prometheus.log", port) as process:
        yield process


@contextlib.contextmanager
def running(command: list[Any], log: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block is over; what it complains of is shown then."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        wait_for(f"http://127.0.0.1:{port}/-/ready")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        sys.stderr.write(log.read_text()[-2000:])


def run_to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Run a benchmark and tell the load; SIGTERM ends it as Ctrl-C does, its programs too."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
        await work
        loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
        sys.stdout.write(f"\nload of the machine over 1, 5, 15 minutes: {loads}\n")

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(run())


def get(port: int, path: str) -> Any:
    """Return what the API of Prometheus answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=30) as answer:
        return json.load(answer)["data"]


def ask(port: int, expr: str) -> float:
    """Return the value of an expression with one series; 0 without any."""
    result = get(port, "query?" + urllib.parse.urlencode({"query": expr}))["result"]
    return float(result[0]["value"][1]) if result else 0.0
