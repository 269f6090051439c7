"""`fleet grafana check|push` against a real Grafana, where this machine has one."""

from __future__ import annotations

import os
import subprocess

import pytest
import requests
from fix_fleet import wait_until
from fix_ports import free_port
from fleet_dashboards.push import Addresses, Secrets, main
from fleet_dashboards.push.instance import ACTIONS
from fleet_dashboards.push.wanted import load_dashboards
from fleet_stack.parts.programs import find_programs
from fleet_stack.run.grafana import OFF, ON

ADDRESSES = Addresses("http://127.0.0.1:9090", "127.0.0.1:5432", "http://127.0.0.1:8080/api/v1")
SECRETS = Secrets("the-password", "the-proxy-secret")
LOGIN = ("admin", "a-password-of-tests")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A Grafana without anything of ours."""
    offline = {**os.environ, "FLEET_OFFLINE": "1"}
    program = find_programs(offline, print, ("grafana",))["grafana"]
    if program.path is None:
        pytest.skip(f"no Grafana here: {program.reason}")
    folder = tmp_path_factory.mktemp("grafana")
    for name in ("plugins", "alerting", "datasources", "dashboards"):
        (folder / "provisioning" / name).mkdir(parents=True)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    settings = {
        "SERVER_HTTP_ADDR": "127.0.0.1",
        "SERVER_HTTP_PORT": str(port),
        "SERVER_ROOT_URL": f"{address}/",
        "SECURITY_ADMIN_PASSWORD": LOGIN[1],
        "SECURITY_ACTIONS_ALLOW_POST_URL": ACTIONS,
        "PATHS_DATA": str(folder / "data"),
        "PATHS_LOGS": str(folder / "logs"),
        "PATHS_PLUGINS": str(folder / "plugins"),
        "PATHS_PROVISIONING": str(folder / "provisioning"),
        "LOG_LEVEL": "warn",
    } | dict.fromkeys(OFF, "false") | dict.fromkeys(ON, "true")  # fmt: skip
    environ = {k: v for k, v in os.environ.items() if not k.startswith("GF_")}
    environ |= {f"GF_{name}": value for name, value in settings.items()}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(program.path), "server", *program.extra], env=environ, stdout=log, stderr=log
        )

    def is_there():
        assert process.poll() is None, (folder / "log").read_text()
        try:
            return requests.get(f"{address}/api/health", timeout=5).ok
        except requests.RequestException:
            return False

    try:
        wait_until(is_there, "Grafana answers")
        yield address
    finally:
        process.terminate()
        process.wait(30)


def run(url, verb, *argv):
    return main([verb, *argv], ADDRESSES, SECRETS, url=url, credential=LOGIN)


def test_real_grafana_takes_everything_and_keeps_what_people_did(url, capsys):
    """Missing, pushed, as it should be; edited by hand, seen, asked for, overwritten."""
    uid = load_dashboards()[0]["uid"]
    assert run(url, "check") == 1
    assert run(url, "push") == 0
    capsys.readouterr()
    assert run(url, "check") == 0, capsys.readouterr().out

    with requests.Session() as people:
        people.auth = LOGIN
        there = people.get(f"{url}/api/dashboards/uid/{uid}", timeout=10).json()["dashboard"]
        edited = {key: value for key, value in there.items() if key != "fleetPush"}
        body = {"dashboard": {**edited, "title": "Mine"}, "folderUid": "fleet"}
        people.post(f"{url}/api/dashboards/db", json=body, timeout=10).raise_for_status()
    assert run(url, "check") == 1
    assert "edited there: by admin at" in capsys.readouterr().out

    assert run(url, "push", "--yes") == 0
    capsys.readouterr()
    assert run(url, "check") == 0, capsys.readouterr().out
