"""Who calls the control API over TLS, as the launcher configures them: the real programs."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import yaml
from fix_control import control_settings, grafana_double, make_token, start_api, stop_api  # noqa: F401
from fix_fleet import wait_until
from fix_ports import free_port
from fix_tls import make_files
from fleet_stack.commands.env import find_trust
from fleet_stack.home import Secrets, stack
from fleet_stack.home.account import load_current
from fleet_stack.home.homes import Home
from fleet_stack.home.placement import Placement
from fleet_stack.home.ports import SERVICES
from fleet_stack.parts import tls
from fleet_stack.parts.models import Model
from fleet_stack.parts.program import Program
from fleet_stack.parts.programs import find_tools
from fleet_stack.run import health, render, services
from fleet_stack.run.assembly import assemble
from fleet_stack.run.preflight import Preflight

NAME = "fleet.example.com"
TOKENS = {"sd": "sd_token", "metrics": "metrics_token", "webhook": "webhook_token"}


@pytest.fixture(scope="module")
def tools():
    return find_tools(os.environ, print)


@pytest.fixture
def whole(control_settings, owner, tmp_path):  # noqa: F811 - pytest finds fixtures by name
    """A stack whose control API runs, with a certificate that does not name 127.0.0.1."""
    files = make_files(tmp_path / "own", NAME)
    secrets = Secrets(tmp_path / "secrets")
    trust = tls.settle(files.environ(), secrets)
    for scope, name in TOKENS.items():
        secrets.put(name, make_token(owner, scope))
    secrets.put("owner.dsn", "postgresql://127.0.0.1/fleet")
    secrets.scrape.put("token", "unused")
    process, url, _ = start_api(control_settings, tmp_path, files.environ(), NAME)
    ports = {name: free_port() for name in SERVICES} | {"control-api": urlsplit(url).port}
    user = load_current()
    base = Preflight(
        home=Home(tmp_path), environ={}, externals={}, ports=ports,
        placement=Placement(user, user, tmp_path / "postgres"), secrets=secrets,
        runtime=tmp_path / "run", progress=lambda _line: None, trust=trust,
    )  # fmt: skip
    programs = {
        name: Program(name, Path("/x")) for name in ("prometheus", "alertmanager", "grafana")
    }
    yield assemble(base, "alpha", programs, Model(Path("/m.gguf"), "tiny", None, "a file"))
    stop_api(process)


@pytest.fixture
def start(whole, tools, tmp_path):
    """A function that runs a program as the launcher does, with its configuration."""
    with ExitStack() as running:

        def run(name, **values):
            template = render.find_templates(name)[f"{name}.yml"]
            text = render.render_template(template, render.collect_values(whole) | values)
            (tmp_path / name).mkdir()
            (tmp_path / name / f"{name}.yml").write_text(text)
            program = replace(whole.programs[name], path=tools[name])
            changed = replace(whole, programs={**whole.programs, name: program})
            service = getattr(services, name)(changed)
            process = running.enter_context(
                subprocess.Popen(
                    service.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
            running.callback(process.terminate)
            url = whole.url(name)
            wait_until(lambda: not health.check_page(f"{url}/-/ready"), f"{name} is ready")
            return url

        yield run


def test_prometheus_finds_and_scrapes_by_tls(whole, start, owner):
    """Service discovery and the control API's own metrics."""
    owner.execute("UPDATE fleet.nodes SET scrape_address = '127.0.0.1:1' WHERE node = 'alpha'")
    url = start("prometheus", alertmanager_address="")

    def read_targets():
        told = requests.get(f"{url}/api/v1/targets", timeout=10).json()["data"]["activeTargets"]
        found = {(each["labels"]["job"], each["labels"].get("node")): each for each in told}
        own = found.get(("fleet-control-api", None), {})
        return found if ("fleet-node", "alpha") in found and own.get("health") == "up" else None

    found = wait_until(read_targets, "both are there")
    own = found["fleet-control-api", None]
    assert own["scrapeUrl"] == f"{whole.url('control-api')}/metrics"


def test_alertmanager_tells_by_tls(whole, start, owner):
    """What a receiver is told becomes history."""
    url = start("alertmanager")
    now = datetime.now(UTC)
    alert = {
        "labels": {"alertname": "GpuHot", "node": "alpha", "severity": "critical"},
        "annotations": {"summary": "The GPU is hot."},
        "endsAt": (now + timedelta(minutes=5)).isoformat(),
    }
    requests.post(f"{url}/api/v2/alerts", json=[alert], timeout=10).raise_for_status()

    assert wait_until(
        lambda: owner.execute("SELECT alertname FROM analytics.alerts").fetchall(), "it is kept"
    ) == [{"alertname": "GpuHot"}]


def test_grafana_is_told_whom_to_trust(whole):
    """The certificate as a file that it reads itself, and the name in it."""
    template = render.find_templates("grafana")["provisioning/datasources/fleet.yml"]
    values = render.collect_values(whole)
    sources = yaml.safe_load(render.render_template(template, values))["datasources"]
    [control] = [each for each in sources if each["uid"] == "fleet-control"]

    assert control["url"] == f"{whole.url('control-api')}/buttons"
    assert control["jsonData"]["serverName"] == NAME
    assert control["jsonData"]["tlsAuthWithCACert"] is True
    file = whole.base.secrets.path(tls.AUTHORITY_COPY)
    assert control["secureJsonData"]["tlsCACert"] == f"$__file{{{file}}}"


def test_status_asks_by_tls(whole):
    """As everybody else: who has not the name of the certificate is not the control API."""
    other = replace(whole.decision, control_server_name="other.example.com")

    assert whole.url("control-api").startswith("https://127.0.0.1:")
    assert health.check_control_api(whole.decision) == ""
    assert "certificate" in health.check_control_api(other)


def test_decision_remembers_whom_to_trust(whole, tmp_path):
    """For the commands after `up`, and for tools that read `./fleet env`."""
    stack.store(Home(tmp_path), whole.decision)
    decision = stack.load(Home(tmp_path))

    assert find_trust(decision) == {
        "FLEET_CONTROL_CA_FILE": str(whole.base.secrets.path(tls.AUTHORITY_COPY)),
        "FLEET_CONTROL_SERVER_NAME": NAME,
    }
    assert decision.public_url == f"https://127.0.0.1:{whole.base.ports['control-api']}"


def test_control_api_gets_the_copies(whole):
    """Its user can read them, whoever owns the originals."""
    environment = services.control_api(whole).environment
    given = [environment[name] for name in stack.TLS[:2]]

    copies = (tls.CERTIFICATE_COPY, tls.KEY_COPY)
    assert given == [str(whole.base.secrets.path(name)) for name in copies]
