"""Alertmanager with the rendered configuration, and a mailbox that it delivers to."""

from __future__ import annotations

import contextlib
import email
import json
import os
import queue
import subprocess
import time
import urllib.error
import urllib.request
from email import policy
from pathlib import Path

import jinja2
import pytest
from aiosmtpd.controller import Controller
from fix_mail import mail_server
from fix_ports import free_port
from fleet_stack.parts.programs import find_tools

ROOT = Path(__file__).parents[2] / "alertmanager"
START_SECONDS = 20


@pytest.fixture(scope="session")
def tools():
    return find_tools(os.environ, print)


@pytest.fixture(scope="session")
def amtool(tools):
    return tools["amtool"]


@pytest.fixture(scope="session")
def render():
    """A function that renders the configuration as the launcher does; keywords change values."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string((ROOT / "alertmanager.yml.j2").read_text())
    values = {
        "smtp_address": "127.0.0.1:2525",
        "mail_from": "fleet@localhost",
        "mail_to": "operator@localhost",
        "mail_to_critical": "operator@localhost",
        "smtp_needs_starttls": False,
        "smtp_user": "",
        "smtp_password_file": "",
        "smtp_ca_file": "",
        "quiet_hours": [],
        "time_zone": "",
        "heartbeat_url": "",
        "sms_url": "",
        "sms_token_file": "",
        "sns_topic": "",
        "sns_url": "",
        "home_url": "http://127.0.0.1:8000",
        "templates_dir": str(ROOT / "templates"),
        "dashboard_url": "http://127.0.0.1:3000/",
        "runbook_url": "http://127.0.0.1:8000/api/v1/runbooks",
        "webhook_url": "http://127.0.0.1:1/api/v1/alerts/webhook",
        "webhook_token_file": str(ROOT / "alertmanager.yml.j2"),  # any file: most tests have no API
    }
    return lambda **changes: template.render(values | changes)


class Mailbox:
    """What aiosmtpd calls for each message; keeps them in the order in which they came."""

    def __init__(self):
        self.messages = queue.Queue()

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        self.messages.put(message)
        return "250 OK"

    def next(self, timeout=20):
        """Return the next message; fails the test if none comes."""
        return self.messages.get(timeout=timeout)


class Alertmanager:
    """A running Alertmanager and its mailbox."""

    def __init__(self, url, mailbox, process):
        self.url = url
        self.mailbox = mailbox
        self.process = process

    def stop(self):
        """End it; the next one of the test begins with what it has left on disk."""
        self.process.terminate()
        self.process.wait(timeout=10)

    def post(self, *alerts):
        """Hand in alerts as Prometheus does."""
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts",
            json.dumps(alerts).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=5).close()


def wait_until_ready(url, running, log):
    """Ask until it answers; a server that ended or takes too long fails the test."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert running.poll() is None, log.read_text()
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"{url}/-/ready", timeout=1).close()
            return
    pytest.fail(f"Alertmanager is not ready after {START_SECONDS} s")


@contextlib.contextmanager
def start(program, folder, config, environ):
    """Run Alertmanager with this configuration until the test is over."""
    (folder / "alertmanager.yml").write_text(config)
    port = free_port()
    command = [
        program,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (folder / "alertmanager.log").open("a") as log:
        running = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **environ}
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", running, folder / "alertmanager.log")
        yield f"http://127.0.0.1:{port}", running
    finally:
        running.terminate()
        running.wait(timeout=10)


@pytest.fixture
def mail_servers(tmp_path):
    """A function that starts a mail server, which outlives the Alertmanager of the test."""
    with contextlib.ExitStack() as stack:
        yield lambda **how: stack.enter_context(mail_server(tmp_path, **how))


@pytest.fixture
def alertmanager(tools, render, tmp_path, mail_servers):
    """A function that starts Alertmanager with short waits; keywords change the configuration."""
    mailbox = Mailbox()
    mail = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    mail.start()
    waits = {"critical_wait": "100ms", "warning_wait": "1s", "group_interval": "1s"}
    with contextlib.ExitStack() as stack:

        def run(environ=None, **changes):
            config = render(**({"smtp_address": f"127.0.0.1:{mail.port}"} | waits | changes))
            running = start(tools["alertmanager"], tmp_path, config, environ or {})
            url, process = stack.enter_context(running)
            return Alertmanager(url, mailbox, process)

        yield run
    mail.stop()
